"""Image, text and mask rows: CSV, TSV, JSON and JSONL with a mask column."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from plait.core.errors import InputError, nearest
from plait.data.assemble import Finder, Row, SplitMaking, assemble, file_finder, read_json_file, read_splits
from plait.data.collection import Collection, Skip
from plait.data.masks.source import MaskReading, MaskSource
from plait.data.sources.rows import (
    IMAGE_COLUMNS,
    SPLIT_COLUMNS,
    TEXT_COLUMNS,
    find_images,
    json_lines,
    pick_column,
    read_text,
)

__all__ = ["MASK_COLUMNS", "MASK_TABLES", "find_mask_table", "is_mask_table", "open_mask_rows"]

MASK_COLUMNS = ("mask", "mask_path", "mask_file", "mask_name", "segmentation")
PHRASE_COLUMNS = (*TEXT_COLUMNS, "instruction", "phrase", "expression", "category", "label", "class")
POLARITY_COLUMN = "polarity"
# Looked for in a folder, in this order.
MASK_TABLES = tuple(f"{name}.{suffix}" for name in ("pairs", "masks") for suffix in ("csv", "tsv", "jsonl", "json"))
_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json")


def is_mask_table(path: Path) -> bool:
    """Tell whether a file is a table whose first row names an image and a mask column."""
    if path.suffix.lower() not in _SUFFIXES or not path.is_file():
        return False
    try:
        names = {name.lower() for name in _first_columns(path)}
    except InputError:
        return False
    return bool(names & set(MASK_COLUMNS)) and bool(names & set(IMAGE_COLUMNS))


def find_mask_table(folder: Path) -> Path | None:
    """Give the table of masks in a folder, or None; one of another name is taken where it is the only one."""
    for name in MASK_TABLES:
        if is_mask_table(folder / name):
            return folder / name
    others = [path for path in sorted(folder.iterdir()) if path.name != "splits.json" and is_mask_table(path)]
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
    table = list(_objects(path))
    if not table:
        raise InputError(f"{path}: no rows; expected image,text,mask rows")
    skipped: list[Skip] = []
    rows = list(_rows(path, table, reading, skipped))
    folder = images or (find_images(path.parent, (row.image for row in rows[:50])) if rows else path.parent)
    splits = path.parent / "splits.json"
    if not rows:
        raise InputError(f"{path}: no row is left; the first thing skipped: {skipped[0].where}: {skipped[0].reason}")
    found = assemble(
        path.parent.resolve().name,
        str(path),
        rows=rows,
        find=file_finder(folder, str(path)),
        making=making or SplitMaking(),
        splits=read_splits(splits) if splits.is_file() else None,
        splits_origin=str(splits),
        skipped=skipped,
        reading=reading,
    )
    return found


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
        yield Row(where, image, text or "", split, MaskSource(file, polarity, where))
    if left:
        skipped.append(Skip(str(path), f"{left} rows do not meet the conditions asked for"))


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


def _first_columns(path: Path) -> list[str]:
    if path.suffix.lower() in (".csv", ".tsv"):
        with path.open("rb") as file:
            first = file.readline(100_000).decode("utf-8-sig", errors="replace")
        return [cell.strip().strip('"') for cell in first.strip().split(_divider(path, first))]
    if path.suffix.lower() == ".json":
        with path.open("rb") as file:  # COCO's are objects, and of hundreds of MB
            if not file.read(100).decode("utf-8-sig", errors="replace").lstrip().startswith("["):
                return []
    for _, value in _objects(path):
        return list(map(str, value))
    return []


def _divider(path: Path, first: str) -> str:
    if path.suffix.lower() == ".tsv" or "\t" in first:
        return "\t"
    return ";" if first.count(";") > first.count(",") else ","


def _objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give (file and row, column -> value) of each row. Raises InputError naming the row."""
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        yield from _cells(path)
        return
    if suffix == ".json":
        data = read_json_file(path)
        items = data if isinstance(data, list) else [data]
        objects: Iterator[tuple[str, Any]] = ((f"{path}, item {i}", value) for i, value in enumerate(items))
    else:
        objects = json_lines(path)
    for where, value in objects:
        if not isinstance(value, dict):
            raise InputError(f"{where}: expected an object with an image, a text and a mask, got {value!r:.60}")
        yield where, value


def _cells(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    text = read_text(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_divider(path, text.split("\n", 1)[0]), strict=True)
    header: list[str] = []
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InputError(
                f"{path}, row {line}: {error}; a text with a comma or a quotation mark stands in quotes"
            ) from error
        if not any(cell.strip() for cell in cells):
            continue
        if not header:
            header = [cell.strip() for cell in cells]
            continue
        if len(cells) != len(header):
            raise InputError(
                f"{path}, row {line}: {len(cells)} columns; the header has {len(header)}. Texts with commas need quotes"
            )
        yield f"{path}, row {line}", dict(zip(header, cells, strict=True))
