"""Names of columns that are understood, and how the one that is meant is found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from plait.core.errors import InputError, nearest

__all__ = [
    "CLASS_COLUMNS",
    "IMAGE_COLUMNS",
    "MASK_COLUMNS",
    "PHRASE_COLUMNS",
    "POLARITY_COLUMN",
    "SPLIT_COLUMNS",
    "TEXT_COLUMNS",
    "VOCABULARY_COLUMN",
    "declared_vocabulary",
    "find_column",
    "no_column",
    "pick_column",
]

IMAGE_COLUMNS = (
    *("image", "filename", "file_name", "image_name", "image_id", "image_path", "image_file", "img", "photo", "path"),
    "file",
)
TEXT_COLUMNS = ("caption", "text", "sentence", "raw", "captions", "sentences", "comment", "description")
CLASS_COLUMNS = ("label", "class", "category", "class_name", "label_name")
SPLIT_COLUMNS = ("split",)
MASK_COLUMNS = ("mask", "mask_path", "mask_file", "mask_name", "segmentation")
PHRASE_COLUMNS = (*TEXT_COLUMNS, "instruction", "phrase", "expression", "category", "label", "class")
POLARITY_COLUMN = "polarity"
# So much of a column's name is shown: a file that is no table may have a "name" of any length.
_SHOWN = 60
VOCABULARY_COLUMN = "vocabulary"
# COCO's two lists of words stand in a column of this name; other words there declare nothing.
_KIND_COLUMN, _KINDS = "kind", ("thing", "stuff")


def declared_vocabulary(cells: Mapping[str, Any]) -> str:
    """Give the list of words that a row declares its phrase to be one of: column "vocabulary", or COCO's "kind"."""
    kind = str(cells.get(_KIND_COLUMN) or "").strip()
    return str(cells.get(VOCABULARY_COLUMN) or "").strip() or (kind if kind in _KINDS else "")


def find_column(found: Iterable[Any], known: Sequence[str]) -> str | None:
    """Give the first known name among the names found, in any case and spelt as found, or None."""
    lower = {str(name).lower(): name for name in found}
    return next((lower[name] for name in known if name in lower), None)


def no_column(found: Iterable[Any], known: Sequence[str], what: str) -> str:
    """Say that none of the names found is known as `what`; the message hints at a misspelt one."""
    names = [name if len(name) <= _SHOWN else f"{name[:_SHOWN]}..." for name in map(str, found)]
    hint = next((f" (is {n.lower()!r} meant as {known[0]!r}?)" for n in names if nearest(n.lower(), known)), "")
    return f"no {what} column{hint}; found: {', '.join(names) or 'none'}; expected one of: {', '.join(known)}"


def pick_column(where: str, found: Sequence[Any], known: Sequence[str], what: str) -> str:
    """Give what `find_column` gives. Raises InputError where there is none."""
    name = find_column(found, known)
    if name is None:
        raise InputError(f"{where}: {no_column(found, known, what)}")
    return name
