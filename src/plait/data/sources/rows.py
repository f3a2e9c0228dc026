"""Image and caption rows: CSV, TSV, JSON, JSONL and the token files of Flickr8k and Flickr30k."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from plait.core.errors import InputError, nearest
from plait.data.assemble import Finder, Row, SplitMaking, assemble, file_finder, read_json_file, read_splits
from plait.data.collection import Collection, Skip
from plait.data.images import IMAGE_SUFFIXES

__all__ = [
    "IMAGES_POINTER",
    "IMAGE_COLUMNS",
    "SPLIT_COLUMNS",
    "TEXT_COLUMNS",
    "find_images",
    "json_lines",
    "open_rows",
    "pick_column",
    "read_rows",
    "read_text",
    "rows_of_objects",
]

# A file of one line beside the captions: the folder of the photos, where they lie elsewhere.
IMAGES_POINTER = "images_folder.txt"
IMAGE_COLUMNS = (
    *("image", "filename", "file_name", "image_name", "image_id", "image_path", "image_file", "img", "photo", "path"),
    "file",
)
TEXT_COLUMNS = ("caption", "text", "sentence", "raw", "captions", "sentences", "comment", "description")
SPLIT_COLUMNS = ("split",)
_NUMBERED = re.compile(r"^(?P<image>.+)#(?P<number>\d+)$")  # Flickr's "name.jpg#0"


def open_rows(path: Path, *, images: Path | None = None, making: SplitMaking | None = None) -> Collection:
    """Open a file of image and caption rows; `splits.json` beside it is used if it is there.

    Raises:
        InputError: see `read_rows` and `assemble`.
    """
    rows = list(read_rows(path, images))
    folder = images or find_images(path.parent, (row.image for row in rows[:50]))
    splits = path.parent / "splits.json"
    return assemble(
        path.parent.resolve().name,
        str(path),
        rows=rows,
        find=file_finder(folder, str(path)),
        making=making or SplitMaking(),
        splits=read_splits(splits) if splits.is_file() else None,
        splits_origin=str(splits),
    )


def find_images(folder: Path, names: Iterable[str]) -> Path:
    """Give the folder that holds the photos of these names: `folder` itself or one in it, such as images/.

    Where there is no images/ but an `images_folder.txt`, its one line names the folder, seen from `folder`.

    Raises:
        InputError: none does; the message names what was looked at.
    """
    if (pointer := folder / IMAGES_POINTER).is_file() and not (folder / "images").is_dir():
        return _pointed(pointer)
    inside = sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda p: (p.name.lower() != "images", p))
    wanted = list(names)
    for candidate in (*inside, folder):
        finder = file_finder(candidate, str(folder))
        if any(not isinstance(finder(name), Skip) for name in wanted):
            return candidate
    looked = ", ".join(f"{path.name}/" for path in inside) or "no sub-folder"
    raise InputError(
        f"{folder}: none of the first {len(wanted)} photos named by the captions is here or in {looked} "
        f"(for instance {wanted[0] if wanted else 'none'!r}); put them in {folder / 'images'} or say where they are"
    )


def _pointed(pointer: Path) -> Path:
    line = read_text(pointer).strip()
    place = pointer.parent / line
    if not line or "\n" in line or not place.is_dir():
        raise InputError(
            f"{pointer}: expected one line with the photos' folder, got {line[:80]!r}, which is no folder here; "
            "correct it, or say where the photos are"
        )
    return place


def read_rows(path: Path, images: Path | None = None) -> Iterator[Row]:
    """Read rows from a file of any of these forms, told apart by suffix and first line.

    JSONL or JSON: objects with an image key and a caption key, whose value is a sentence, a list of sentences, or a
    list of objects with one (so the published Karpathy splits can be read). Otherwise text with columns divided by
    tab, |, ; or comma, with a header row of known names, or without one: then the first column is the image, a
    number after it is passed over, and the rest is the caption. The first row is a header when none of its cells
    names an image.

    Raises:
        InputError: not UTF-8, broken quotes or JSON, or unknown columns; the message names file, row and columns.
    """
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        yield from rows_of_objects(json_lines(path), IMAGE_COLUMNS, TEXT_COLUMNS)
    elif path.suffix.lower() == ".json":
        data = read_json_file(path)
        objects = data.get("images") if isinstance(data, dict) else data
        if not isinstance(objects, list):
            raise InputError(f"{path}: expected a list of objects with an image and a caption")
        numbered = ((f"{path}, item {i}", value) for i, value in enumerate(objects))
        yield from rows_of_objects(numbered, IMAGE_COLUMNS, TEXT_COLUMNS)
    else:
        yield from _delimited(path, None if images is None else file_finder(images, str(path)))


def rows_of_objects(
    objects: Iterable[tuple[str, Any]], image_columns: Iterable[str], text_columns: Iterable[str]
) -> Iterator[Row]:
    """Give the rows of (where, object) pairs. Raises InputError naming the place and the keys when one is missing."""
    image_columns, text_columns = tuple(image_columns), tuple(text_columns)
    for where, value in objects:
        if not isinstance(value, Mapping):
            raise InputError(f"{where}: expected an object with an image and a caption, got {value!r:.60}")
        image_key = pick_column(where, list(value), image_columns, "image")
        text_key = pick_column(where, list(value), text_columns, "caption")
        split_key = next((key for key in value if str(key).lower() in SPLIT_COLUMNS), None)
        image = value[image_key]
        if not isinstance(image, str | int) or isinstance(image, bool):
            raise InputError(f"{where}: key {image_key!r}: expected an image's name, got {image!r:.60}")
        split = None if split_key is None or not value[split_key] else str(value[split_key])
        for text in _sentences(where, text_key, value[text_key], text_columns):
            yield Row(where, str(image), text, split)


def _sentences(where: str, key: str, value: Any, text_columns: tuple[str, ...]) -> Iterator[str]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, Mapping):  # Karpathy's {"raw": "A dog .", "tokens": [...]}
            item = item[pick_column(f"{where}, key {key!r}", list(item), text_columns, "caption")]
        if item is None:
            item = ""
        if not isinstance(item, str):
            raise InputError(f"{where}: key {key!r}: expected a sentence, got {item!r:.60}")
        yield item


def json_lines(path: Path) -> Iterator[tuple[str, Any]]:
    """Give (file and row, object) of each line of a JSONL file. Raises InputError naming the row."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield f"{path}, row {number}", json.loads(line)
        except ValueError as error:
            raise InputError(f"{path}, row {number}: not valid JSON: {error}") from error


def _delimited(path: Path, find: Finder | None) -> Iterator[Row]:
    text = read_text(path)
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first:
        raise InputError(f"{path}: the file is empty; expected image,caption rows")
    divider = next((d for d in ("\t", "|", ";", ",") if _fits(first.split(d), find)), ",")
    # Flickr's token files never quote, and a sentence there may begin with a quotation mark.
    plain = divider == "|" or _NUMBERED.match(first.split(divider)[0].strip()) is not None
    quoting: Literal[0, 3] = csv.QUOTE_NONE if plain else csv.QUOTE_MINIMAL
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=divider, quoting=quoting, strict=True)
    columns: tuple[int, int, int | None] | None = None
    width, begun = 0, False
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InputError(
                f"{path}, row {line}: {error}; a caption with a comma or a quotation mark stands in quotes, "
                'and a quotation mark inside it is doubled ("")'
            ) from error
        if not any(cell.strip() for cell in cells):
            continue
        if not begun:
            begun, width = True, len(cells)
            if not any(_names_image(cell, find) for cell in cells):
                columns = _header(path, cells)
                continue
        yield _row(f"{path}, row {line}", cells, columns, width, divider)


def _row(where: str, cells: list[str], columns: tuple[int, int, int | None] | None, width: int, divider: str) -> Row:
    if columns is None:
        rest = cells[2:] if len(cells) > 2 and cells[1].strip().isdigit() else cells[1:]
        image_at, text, split = 0, divider.join(rest), None
    else:
        image_at, text_at, split_at = columns
        if len(cells) > width and text_at == width - 1:  # a caption with commas that nobody quoted
            cells = [*cells[:text_at], divider.join(cells[text_at:])]
        if len(cells) != width:
            raise InputError(f"{where}: {len(cells)} columns; the header has {width}. Put captions in quotes")
        text, split = cells[text_at], cells[split_at].strip() if split_at is not None else None
    image = cells[image_at].strip()
    numbered = _NUMBERED.match(image)
    return Row(where, numbered["image"] if numbered else image, text, split or None)


def _header(path: Path, cells: list[str]) -> tuple[int, int, int | None]:
    names = [cell.strip().strip('"').lower() for cell in cells]
    image = pick_column(f"{path}, row 1", names, IMAGE_COLUMNS, "image")
    text = pick_column(f"{path}, row 1", names, TEXT_COLUMNS, "caption")
    split = next((names.index(name) for name in SPLIT_COLUMNS if name in names), None)
    return names.index(image), names.index(text), split


def pick_column(where: str, found: list[Any], known: tuple[str, ...], what: str) -> str:
    """Find the first known name among the names found, whatever their case. Raises InputError where there is none."""
    lower = {str(name).lower(): name for name in found}
    for name in known:
        if name in lower:
            picked: str = lower[name]
            return picked
    hint = next((f" (is {name!r} meant as {known[0]!r}?)" for name in lower if nearest(name, known)), "")
    raise InputError(
        f"{where}: no {what} column{hint}; found: {', '.join(map(str, found)) or 'none'}; "
        f"expected one of: {', '.join(known)}"
    )


def _fits(cells: list[str], find: Finder | None) -> bool:
    known = (*IMAGE_COLUMNS, *TEXT_COLUMNS)
    return len(cells) > 1 and any(
        cell.strip().strip('"').lower() in known or _names_image(cell.strip().strip('"'), find) for cell in cells
    )


def _names_image(cell: str, find: Finder | None) -> bool:
    name = cell.strip()
    if not name or len(name) > 255:
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


def read_text(path: Path) -> str:
    """Read a file of UTF-8 text. Raises InputError naming the file, and the row where it is something else."""
    try:
        data = path.read_bytes()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, row {row}: byte {error.start} is not UTF-8; save the file as UTF-8") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
