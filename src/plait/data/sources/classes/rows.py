"""Image and class rows: CSV, TSV, JSON and JSONL with a column of classes and none of captions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plait.core.errors import InputError
from plait.data.assemble import Row, assemble
from plait.data.collection import Collection, Skip
from plait.data.finder import file_finder
from plait.data.sources.columns import (
    CLASS_COLUMNS,
    IMAGE_COLUMNS,
    MASK_COLUMNS,
    SPLIT_COLUMNS,
    TEXT_COLUMNS,
    find_column,
    pick_column,
)
from plait.data.sources.images_folder import find_images
from plait.data.sources.table import TABLE_SUFFIXES, first_columns, strict, table_rows
from plait.data.splits import SplitMaking, find_splits

__all__ = ["CLASS_TABLES", "find_class_table", "is_class_table", "open_class_rows"]

# Looked for in a folder, in this order.
CLASS_TABLES = tuple(f"{name}.{suffix}" for name in ("labels", "classes") for suffix in ("csv", "tsv", "jsonl", "json"))


def is_class_table(path: Path) -> bool:
    """Tell whether a file is a table whose first row names an image and a class, and neither a caption nor a mask."""
    if path.suffix.lower() not in TABLE_SUFFIXES or not path.is_file():
        return False
    try:
        names = first_columns(path)
    except InputError:
        return False
    return (
        find_column(names, IMAGE_COLUMNS) is not None
        and find_column(names, CLASS_COLUMNS) is not None
        and find_column(names, (*TEXT_COLUMNS, *MASK_COLUMNS, "question")) is None
    )


def find_class_table(folder: Path) -> Path | None:
    """Give the table of classes in a folder, or None."""
    return next((folder / name for name in CLASS_TABLES if is_class_table(folder / name)), None)


def open_class_rows(path: Path, *, images: Path | None = None, making: SplitMaking | None = None) -> Collection:
    """Open a table of image and class rows, or the folder that holds one as `labels.csv`.

    `splits.json` beside it is used if it is there; else a column `split`.

    Raises:
        InputError: see `assemble`; a column is missing, or there is no row.
    """
    table = find_class_table(path) if path.is_dir() else path
    if table is None:
        raise InputError(f"{path}: no table of classes; expected labels.csv with columns image,label")
    skipped: list[Skip] = []
    rows = list(_rows(strict(table_rows(table)), skipped))
    if not rows:
        raise InputError(f"{table}: no rows; expected image,label rows")
    folder = images or find_images(table.parent, (row.image for row in rows[:50]))
    return assemble(
        table.parent.resolve().name,
        str(path),
        rows=rows,
        find=file_finder(folder, str(table)),
        making=making or SplitMaking(),
        splits=find_splits(table.parent, besides=table),
        skipped=skipped,
    )


def _rows(table: Iterator[tuple[str, dict[str, Any]]], skipped: list[Skip]) -> Iterator[Row]:
    for where, cells in table:
        image = str(cells[pick_column(where, list(cells), IMAGE_COLUMNS, "image")] or "").strip()
        value = cells[pick_column(where, list(cells), CLASS_COLUMNS, "class")]
        name = " ".join(str("" if value is None else value).split())
        column = find_column(cells, SPLIT_COLUMNS)
        split = str(cells[column] or "").strip() if column is not None else ""
        if not name:
            skipped.append(Skip(where, f"the class of {image} is empty"))
            continue
        yield Row(where, image, name, split or None, answers=(name,))
