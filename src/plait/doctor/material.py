"""What was read of a data set, faults included."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from plait.data.masks.source import MaskSource

__all__ = ["MaskRow", "Material", "Table", "TextRow"]


@dataclass(frozen=True)
class TextRow:
    """One row with a text about an image.

    Fields:
        where:  file and row
        image:  the image's name as written
        text:   caption, question or label, as written
        role:   "caption", "question" or "label"
        split:  the split the row names, or None
        answer: of a question
    """

    where: str
    image: str
    text: str
    role: str
    split: str | None = None
    answer: str = ""


@dataclass(frozen=True)
class MaskRow:
    """One mask of an image.

    Fields:
        where:  file and row
        image:  the image's name as written
        mask:   the mask's name as written; of a collection, the caption's id
        text:   what it shows, "" where that is not given
        source: the mask itself, where its place and polarity are known
    """

    where: str
    image: str
    mask: str
    text: str = ""
    source: MaskSource | None = None


@dataclass(frozen=True)
class Table:
    """A file that was read: its name, what its rows are, how many, and its columns."""

    file: str
    role: str
    rows: int
    columns: tuple[str, ...] = ()


@dataclass
class Material:
    """Everything that was read of a data set.

    Fields:
        name, origin: as in `Collection`
        folder:     the data set's folder, None where it is not in one
        images:     the images' folder, likewise
        tables:     files read
        rows:       captions, questions and labels
        masks:      masks that a table names, or that are beside the images
        photos:     image name -> file or array
        missing:    (where, image name, reason), once per image
        splits:     split -> image names as given; empty where the data has none
        splits_at:  the file or column that the splits come from
        licences:   licence -> images; None where no column names one
        unused:     image files that no row names
        broken:     (where, reason) of files and rows that cannot be read
        cannot:     sentences: what cannot be checked in this data, and why
    """

    name: str
    origin: str
    folder: Path | None = None
    images: Path | None = None
    tables: list[Table] = field(default_factory=list)
    rows: list[TextRow] = field(default_factory=list)
    masks: list[MaskRow] = field(default_factory=list)
    photos: dict[str, Path | np.ndarray] = field(default_factory=dict)
    missing: list[tuple[str, str, str]] = field(default_factory=list)
    splits: dict[str, list[str]] = field(default_factory=dict)
    splits_at: str = ""
    licences: Counter[str] | None = None
    unused: list[str] = field(default_factory=list)
    broken: list[tuple[str, str]] = field(default_factory=list)
    cannot: list[str] = field(default_factory=list)

    def of(self, role: str) -> list[TextRow]:
        """Give the rows of one role."""
        return [row for row in self.rows if row.role == role]
