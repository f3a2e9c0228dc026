"""Image and caption rows: CSV, TSV, JSON, JSONL and the token files of Flickr8k and Flickr30k."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from plait.core.errors import InputError
from plait.data.assemble import Row, assemble
from plait.data.collection import Collection, Skip
from plait.data.finder import Finder, file_finder
from plait.data.images import IMAGE_SUFFIXES
from plait.data.sources.columns import IMAGE_COLUMNS, SPLIT_COLUMNS, TEXT_COLUMNS, find_column, no_column
from plait.data.sources.images_folder import find_images
from plait.data.sources.table import Problem, delimited_cells, json_lines, read_json_file, read_text, strict
from plait.data.splits import SplitMaking, find_splits

__all__ = ["open_rows", "read_rows", "rows_of_objects"]

_NUMBERED = re.compile(r"^(?P<image>.+)#(?P<number>\d+)$")  # Flickr's "name.jpg#0"
# A file name may have so many characters; a longer cell is a sentence.
_LONGEST_NAME = 255


def open_rows(path: Path, *, images: Path | None = None, making: SplitMaking | None = None) -> Collection:
    """Open a file of image and caption rows; `splits.json` beside it is used if it is there.

    Raises:
        InputError: a row cannot be read (see `read_rows`); see `find_splits` and `assemble`.
    """
    rows = list(strict(read_rows(path, images)))
    folder = images or find_images(path.parent, (row.image for row in rows[:50]))
    return assemble(
        path.parent.resolve().name,
        str(path),
        rows=rows,
        find=file_finder(folder, str(path)),
        making=making or SplitMaking(),
        splits=find_splits(path.parent, besides=path),
    )


def read_rows(path: Path, images: Path | None = None) -> Iterator[Row | Problem]:
    """Read rows from a file of any of these forms, recognised by suffix and first line.

    JSONL or JSON: objects with an image key and a caption key, whose value is a sentence, a list of sentences, or a
    list of objects with one (so the published Karpathy splits can be read). Otherwise text with columns divided by
    tab, |, ; or comma, with a header row of known names, or without one: then the first column is the image, a
    number after it is passed over, and the rest is the caption. The first row is a header when none of its cells
    names an image.

    Gives: rows, and in their place a `Problem` for each that cannot be read: not UTF-8, broken quotes or JSON, another
        number of columns, unknown columns. A problem names file, row and columns.
    Raises:
        InputError: the file itself cannot be read.
    """
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        yield from rows_of_objects(json_lines(path), IMAGE_COLUMNS, TEXT_COLUMNS)
    elif path.suffix.lower() == ".json":
        data = read_json_file(path)
        objects = data.get("images") if isinstance(data, dict) else data
        if not isinstance(objects, list):
            yield Problem(str(path), "expected a list of objects with an image and a caption")
            return
        numbered = ((f"{path}, item {i}", value) for i, value in enumerate(objects))
        yield from rows_of_objects(numbered, IMAGE_COLUMNS, TEXT_COLUMNS)
    else:
        yield from _delimited(path, None if images is None else file_finder(images, str(path)))


def rows_of_objects(
    objects: Iterable[tuple[str, Any] | Problem], image_columns: Iterable[str], text_columns: Iterable[str]
) -> Iterator[Row | Problem]:
    """Give the rows of (where, object) pairs; an object without a known key is a problem that names its keys."""
    image_columns, text_columns = tuple(image_columns), tuple(text_columns)
    for item in objects:
        if isinstance(item, Problem):
            yield item
            continue
        where, value = item
        if not isinstance(value, Mapping):
            yield Problem(where, f"expected an object with an image and a caption, got {value!r:.60}")
            continue
        image_key, text_key = find_column(value, image_columns), find_column(value, text_columns)
        if image_key is None or text_key is None:
            known, what = (image_columns, "image") if image_key is None else (text_columns, "caption")
            yield Problem(where, no_column(value, known, what))
            continue
        image = value[image_key]
        if not isinstance(image, str | int) or isinstance(image, bool):
            yield Problem(where, f"key {image_key!r}: expected an image's name, got {image!r:.60}")
            continue
        split_key = find_column(value, SPLIT_COLUMNS)
        split = None if split_key is None or not value[split_key] else str(value[split_key])
        for text in _sentences(where, text_key, value[text_key], text_columns):
            yield text if isinstance(text, Problem) else Row(where, str(image), text, split)


def _sentences(where: str, key: str, value: Any, text_columns: tuple[str, ...]) -> Iterator[str | Problem]:
    for item in value if isinstance(value, list) else [value]:
        text = item
        if isinstance(item, Mapping):  # Karpathy's {"raw": "A dog .", "tokens": [...]}
            inner = find_column(item, text_columns)
            if inner is None:
                yield Problem(f"{where}, key {key!r}", no_column(item, text_columns, "caption"))
                continue
            text = item[inner]
        if text is None:
            text = ""
        yield text if isinstance(text, str) else Problem(where, f"key {key!r}: expected a sentence, got {text!r:.60}")


def _delimited(path: Path, find: Finder | None) -> Iterator[Row | Problem]:
    text = read_text(path)
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first:
        yield Problem(str(path), "the file is empty; expected image,caption rows")
        return
    divider = next((d for d in ("\t", "|", ";", ",") if _fits(first.split(d), find)), ",")
    # Flickr's token files never quote, and a sentence there may begin with a quotation mark.
    plain = divider == "|" or _NUMBERED.match(first.split(divider)[0].strip()) is not None
    columns: tuple[int, int, int | None] | None = None
    width, begun = 0, False
    for item in delimited_cells(str(path), text, divider, quotes=not plain):
        if isinstance(item, Problem):
            yield item
            continue
        line, cells = item
        if not begun:
            begun, width = True, len(cells)
            if not any(_names_image(cell, find) for cell in cells):
                header = _header(f"{path}, row 1", cells)
                if isinstance(header, Problem):
                    yield header
                    return
                columns = header
                continue
        yield _row(f"{path}, row {line}", cells, columns, width, divider)


def _row(
    where: str, cells: list[str], columns: tuple[int, int, int | None] | None, width: int, divider: str
) -> Row | Problem:
    if columns is None:
        rest = cells[2:] if len(cells) > 2 and cells[1].strip().isdigit() else cells[1:]
        image_at, text, split = 0, divider.join(rest), None
    else:
        image_at, text_at, split_at = columns
        if len(cells) > width and text_at == width - 1:  # a caption with commas that nobody quoted
            cells = [*cells[:text_at], divider.join(cells[text_at:])]
        if len(cells) != width:
            return Problem(where, f"{len(cells)} columns; the header has {width}. Put captions in quotes")
        text, split = cells[text_at], cells[split_at].strip() if split_at is not None else None
    image = cells[image_at].strip()
    numbered = _NUMBERED.match(image)
    return Row(where, numbered["image"] if numbered else image, text, split or None)


def _header(where: str, cells: list[str]) -> tuple[int, int, int | None] | Problem:
    names = [cell.strip().strip('"').lower() for cell in cells]
    image, text = find_column(names, IMAGE_COLUMNS), find_column(names, TEXT_COLUMNS)
    if image is None or text is None:
        known, what = (IMAGE_COLUMNS, "image") if image is None else (TEXT_COLUMNS, "caption")
        return Problem(where, no_column(names, known, what))
    split = next((names.index(name) for name in SPLIT_COLUMNS if name in names), None)
    return names.index(image), names.index(text), split


def _fits(cells: list[str], find: Finder | None) -> bool:
    known = (*IMAGE_COLUMNS, *TEXT_COLUMNS)
    return len(cells) > 1 and any(
        cell.strip().strip('"').lower() in known or _names_image(cell.strip().strip('"'), find) for cell in cells
    )


def _names_image(cell: str, find: Finder | None) -> bool:
    name = cell.strip()
    if not name or len(name) > _LONGEST_NAME:
        return False
    numbered = _NUMBERED.match(name)
    name = numbered["image"] if numbered else name
    if " " not in name and name.lower().endswith(IMAGE_SUFFIXES):
        return True
    if name.lower() in (*IMAGE_COLUMNS, *TEXT_COLUMNS) or find is None:
        return False
    try:
        return not isinstance(find(name), Skip)
    except InputError:
        return False
