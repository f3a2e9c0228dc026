"""Plain tables in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["figure", "table"]


def table(rows: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    """Lay rows out in columns; columns that hold only numbers are aligned right."""
    widths = [max(len(str(row[i])) for row in (header, *rows)) for i in range(len(header))]
    right = [bool(rows) and all(_numeric(str(row[i])) for row in rows) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(map(str, row), widths, right, strict=True)]
        return "  ".join(cells).rstrip()

    return "\n".join([line(header), line(["─" * width for width in widths]), *map(line, rows)])


def figure(value: Mapping[str, float] | None) -> list[str]:
    """Give two cells: a mean and its interval; empty where there is none."""
    if value is None:
        return ["", ""]
    return [f"{value['mean']:.1f}", f"{value['low']:.1f}-{value['high']:.1f}"]


def _numeric(text: str) -> bool:
    return text.replace(",", "").replace(".", "").replace("-", "").replace(" ", "").isdigit() or text == ""
