"""Image, text and mask rows: CSV, TSV, JSON and JSONL with a mask column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from plait.core.errors import InputError, nearest
from plait.data.assemble import Row, assemble
from plait.data.collection import Collection, Skip
from plait.data.finder import Finder, file_finder
from plait.data.masks.source import MaskReading, MaskSource
from plait.data.sources.columns import (
    IMAGE_COLUMNS,
    MASK_COLUMNS,
    PHRASE_COLUMNS,
    POLARITY_COLUMN,
    SPLIT_COLUMNS,
    declared_vocabulary,
    pick_column,
)
from plait.data.sources.images_folder import find_images, list_folder
from plait.data.sources.table import TABLE_SUFFIXES, first_columns, strict, table_rows
from plait.data.splits import SPLITS_FILE, SplitMaking, find_splits

__all__ = ["MASK_TABLES", "find_mask_table", "is_mask_table", "open_mask_rows"]

# Looked for in a folder, in this order.
MASK_TABLES = tuple(f"{name}.{suffix}" for name in ("pairs", "masks") for suffix in ("csv", "tsv", "jsonl", "json"))


def is_mask_table(path: Path) -> bool:
    """Tell whether a file is a table whose first row names an image and a mask column."""
    if path.suffix.lower() not in TABLE_SUFFIXES or not path.is_file():
        return False
    try:
        names = {name.lower() for name in first_columns(path)}
    except InputError:
        return False
    return bool(names & set(MASK_COLUMNS)) and bool(names & set(IMAGE_COLUMNS))


def find_mask_table(folder: Path) -> Path | None:
    """Give the table of masks in a folder, or None; one of another name is taken where it is the only one."""
    for name in MASK_TABLES:
        if is_mask_table(folder / name):
            return folder / name
    others = [path for path in list_folder(folder) if path.name != SPLITS_FILE and is_mask_table(path)]
    return others[0] if len(others) == 1 else None


def open_mask_rows(
    path: Path,
    *,
    images: Path | None = None,
    making: SplitMaking | None = None,
    masks: MaskReading | None = None,
) -> Collection:
    """Open a table of image, text and mask rows; `splits.json` beside it is used if it is there.

    Masks are looked for in `masks/` beside the table, then from the table's folder on. A column `polarity` says it row
    by row; else `masks.polarity`, else "foreground".

    Raises:
        InputError: see `assemble`; a column is missing, a condition names none, or no mask was found.
        ConfigError: a row's polarity is none.
    """
    reading = masks or MaskReading()
    table = list(strict(table_rows(path)))
    if not table:
        raise InputError(f"{path}: no rows; expected image,text,mask rows")
    skipped: list[Skip] = []
    rows = list(_rows(path, table, reading, skipped))
    folder = images or (find_images(path.parent, (row.image for row in rows[:50])) if rows else path.parent)
    if not rows:
        raise InputError(f"{path}: no row is left; the first thing skipped: {skipped[0].where}: {skipped[0].reason}")
    return assemble(
        path.parent.resolve().name,
        str(path),
        rows=rows,
        find=file_finder(folder, str(path)),
        making=making or SplitMaking(),
        splits=find_splits(path.parent, besides=path),
        skipped=skipped,
        reading=reading,
    )


def _rows(
    path: Path, table: list[tuple[str, dict[str, Any]]], reading: MaskReading, skipped: list[Skip]
) -> Iterator[Row]:
    find = _mask_finder(path)
    left = 0
    for where, cells in table:
        lower = {str(name).lower(): value for name, value in cells.items()}
        if not all(_meets(path, lower, condition) for condition in reading.rows):
            left += 1
            continue
        image = str(lower[pick_column(where, list(lower), IMAGE_COLUMNS, "image").lower()] or "").strip()
        text = lower[pick_column(where, list(lower), PHRASE_COLUMNS, "text").lower()]
        name = lower[pick_column(where, list(lower), MASK_COLUMNS, "mask").lower()]
        if not isinstance(text, str | None) or not isinstance(name, str | None):
            raise InputError(f"{where}: expected a text and a mask's file name, got {text!r:.40} and {name!r:.40}")
        if not (name or "").strip():
            skipped.append(Skip(where, f"the mask of {image} is not named"))
            continue
        file = find(str(name).strip())
        if not isinstance(file, Path):
            reason = file.reason if isinstance(file, Skip) else "no file"
            skipped.append(Skip(f"{where}: {name}", reason))
            continue
        polarity = str(lower.get(POLARITY_COLUMN) or reading.polarity or "foreground").strip()
        split = next((str(lower[key]).strip() for key in SPLIT_COLUMNS if lower.get(key)), None)
        yield Row(where, image, text or "", split, MaskSource(file, polarity, where), declared_vocabulary(lower))
    if left:
        skipped.append(Skip(str(path), f"{left} rows do not meet the conditions", expected=True))


def _meets(path: Path, cells: Mapping[str, Any], condition: tuple[str, bool, str]) -> bool:
    column, equal, value = condition
    if column not in cells:
        raise InputError(f"{path}: no column {column!r}{nearest(column, cells)}; found: {', '.join(cells)}")
    return (str(cells[column] or "").strip() == value) == equal


def _mask_finder(path: Path) -> Finder:
    places = [place for place in (path.parent / "masks", path.parent) if place.is_dir()]
    finders = [file_finder(place, str(path)) for place in places]

    def find(name: str) -> Any:
        reason = "no such mask"
        for finder in finders:
            file = finder(name)
            if isinstance(file, Path):
                return file
            if isinstance(file, Skip) and "empty" in file.reason:
                reason = "the mask file is empty (0 bytes)"
        return Skip(name, f"{reason} in {' or '.join(map(str, places))}")

    return find
