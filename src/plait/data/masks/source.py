"""Where a mask comes from and which of its pixels are meant, which has to be declared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from plait.core.errors import ConfigError, InputError
from plait.core.os_errors import os_sentence

__all__ = ["POLARITIES", "MaskReading", "MaskSource", "Region", "check_polarity"]

POLARITIES = ("foreground", "background", "alpha", "label:N", "segment:N+N")


@dataclass(frozen=True, eq=False)
class Region:
    """Instances of one object as COCO stores them: their union is the mask.

    Fields:
        height, width: px of the image they were drawn on
        parts:         one per instance: polygons, flat lists x0, y0, x1, y1, ... in px of pixel edges; or COCO's run
                       lengths, alternating counts of zeros and ones in column order, as numbers or compressed
    """

    height: int
    width: int
    parts: tuple[Sequence[Sequence[float]] | Sequence[int] | str, ...]


@dataclass(frozen=True, eq=False)
class MaskSource:
    """One mask that is not read yet.

    Fields:
        content:  path of an image file; an array (H, W) bool or integers, or (H, W, 4) uint8 with polarity "alpha";
                  or a `Region`
        polarity: which pixels are meant. "foreground": those that are not black (a grey mask with soft edges: those
                  above the middle); "background": the others; "alpha": the transparent ones (an edit region cut out of
                  an image); "label:N": those with number N in a label map; "segment:N+N": those of these COCO panoptic
                  ids
        where:    file and row that named it, for messages
    Raises:
        ConfigError: an unknown polarity.
    """

    content: Path | np.ndarray | Region
    polarity: str = "foreground"
    where: str = ""

    def __post_init__(self) -> None:
        check_polarity(self.polarity)

    @property
    def name(self) -> str:
        """Give its name in messages: the row, and the file where there is one."""
        file = str(self.content) if isinstance(self.content, Path) else ""
        return ": ".join(part for part in (self.where, file) if part) or "mask in memory"

    @cached_property
    def digest(self) -> str:
        """Give the SHA-256 of the mask's content and polarity.

        Raises:
            InputError: the file cannot be read.
        """
        total = hashlib.sha256(f"{self.polarity}\n".encode())
        if isinstance(self.content, np.ndarray):
            total.update(f"array {self.content.dtype} {self.content.shape}\n".encode())
            total.update(np.ascontiguousarray(self.content).tobytes())
        elif isinstance(self.content, Region):
            total.update(json.dumps([self.content.height, self.content.width, self.content.parts]).encode())
        else:
            try:
                total.update(self.content.read_bytes())
            except OSError as error:
                raise InputError(f"mask {self.name}: cannot be read: {os_sentence(error)}") from error
        return total.hexdigest()


def check_polarity(polarity: str) -> None:
    """Refuse an unknown polarity. Raises ConfigError naming the known ones."""
    kind, _, numbers = polarity.partition(":")
    plain = polarity in ("foreground", "background", "alpha")
    label = kind == "label" and numbers.isascii() and numbers.isdigit()
    segment = kind == "segment" and all(part.isascii() and part.isdigit() for part in numbers.split("+"))
    if not (plain or label or segment):
        raise ConfigError(f"mask polarity {polarity!r}: expected one of {', '.join(POLARITIES)} with numbers for N")


@dataclass(frozen=True)
class MaskReading:
    """How the masks of a data set are read, as its user declares it.

    Fields:
        polarity: see `MaskSource`; "" = not declared: the format's (the transparent part in MagicBrush), else
                  "foreground", and then a data set that is nearly all foreground is refused
        empty:    masks with nothing marked: "skip" (listed) or "keep"
        rows:     conditions (column, equal, value); a row of a table must meet all of them
    Raises:
        ConfigError: an unknown polarity, or an unknown treatment of empty masks.
    """

    polarity: str = ""
    empty: Literal["skip", "keep"] = "skip"
    rows: tuple[tuple[str, bool, str], ...] = ()

    def __post_init__(self) -> None:
        if self.polarity:
            check_polarity(self.polarity)
        if self.empty not in ("skip", "keep"):
            raise ConfigError(f"empty masks: expected 'skip' or 'keep', got {self.empty!r}")

    @classmethod
    def parse(cls, text: str) -> MaskReading:
        """Read it from words such as "masks,polarity=background,empty=keep,source!=web".

        Words: "masks" (nothing else is declared), polarity=..., empty=..., COLUMN=VALUE and COLUMN!=VALUE.

        Raises:
            ConfigError: a word is none of these.
        """
        polarity, empty, rows = "", "skip", []
        for word in filter(None, (part.strip() for part in text.split(","))):
            name, mark, value = word.partition("=")
            if word == "masks":
                continue
            if not mark or not name.strip("! "):
                raise ConfigError(
                    f"{word!r} after '#': expected masks, polarity=..., empty=skip, empty=keep, COLUMN=VALUE or "
                    "COLUMN!=VALUE, divided by commas"
                )
            if name == "polarity":
                polarity = value.strip()
            elif name == "empty":
                empty = value.strip()
            else:
                rows.append((name.rstrip("! ").lower(), not name.endswith("!"), value.strip()))
        return cls(polarity, empty, tuple(rows))  # type: ignore[arg-type]
