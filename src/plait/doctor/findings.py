"""What was found: places, counts, and the texts of its kind as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from plait.doctor.known import KNOWN, Kind

__all__ = ["Example", "Finding", "finding"]

# So many examples are kept of each finding.
EXAMPLES = 12


@dataclass(frozen=True)
class Example:
    """One place where something was found.

    Fields:
        where:  file and row, or the image's name
        what:   what is there
        images: names of the images it concerns, for thumbnails
    """

    where: str
    what: str
    images: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """Something found.

    Fields:
        code:     stable key, one of `KNOWN`
        count:    how many
        of:       out of how many, None where that means nothing
        unit:     what is counted
        examples: the first few
        detail:   figures in words, or ""
    """

    code: str
    count: int
    of: int | None
    unit: str
    examples: tuple[Example, ...]
    detail: str = ""

    @property
    def kind(self) -> Kind:
        """Give its severity and texts."""
        return KNOWN[self.code]

    def to_json(self) -> dict[str, Any]:
        """Give it as plain data, texts included."""
        kind = self.kind
        return {
            "code": self.code,
            "severity": kind.severity,
            "title": kind.title,
            "count": self.count,
            "of": self.of,
            "unit": self.unit,
            "detail": self.detail,
            "effect": kind.effect,
            "fix": kind.fix,
            "examples": [{"where": e.where, "what": e.what, "images": list(e.images)} for e in self.examples],
        }


def finding(
    code: str,
    examples: Sequence[Example],
    *,
    unit: str,
    of: int | None = None,
    count: int | None = None,
    detail: str = "",
) -> list[Finding]:
    """Give a list with the finding, or an empty one where nothing was found."""
    number = len(examples) if count is None else count
    if number == 1 and of is None:
        unit = unit.removesuffix("s")
    return [Finding(code, number, of, unit, tuple(examples[:EXAMPLES]), detail)] if number else []
