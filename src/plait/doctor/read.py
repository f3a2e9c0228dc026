"""Read a data set without refusing anything: what is broken is what the doctor lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from plait.core.errors import InputError, PlaitError
from plait.core.os_errors import os_sentence
from plait.data.assemble import Row
from plait.data.collection import Skip
from plait.data.finder import Finder, file_finder
from plait.data.images import IMAGE_SUFFIXES
from plait.data.open import open_collection, source_of, split_where
from plait.data.sources.coco import is_coco, read_coco_rows
from plait.data.sources.columns import IMAGE_COLUMNS, MASK_COLUMNS, SPLIT_COLUMNS, TEXT_COLUMNS, find_column
from plait.data.sources.folder import CAPTION_FILES
from plait.data.sources.images_folder import find_images, list_folder
from plait.data.sources.rows import read_rows
from plait.data.sources.table import TABLE_SUFFIXES, Problem, first_columns, read_json_file, table_rows
from plait.data.splits import SPLITS_FILE, find_splits
from plait.doctor.material import MaskRow, Material, Table, TextRow

__all__ = ["read_material"]

QUESTION_COLUMNS = ("question",)
ANSWER_COLUMNS = ("answer",)
# Sources that are opened as they are when trained on, not row by row.
_WHOLE = ("class_folders", "cifar", "hub", "scenes", "scenes_masks", "scenes_questions", "coco_masks", "vqa", "daquar")
LABEL_COLUMNS = ("label", "class", "category", "classname")
LICENCE_COLUMNS = ("license", "licence")
# What a table's rows are, by the first of these columns that it has.
_ROLES = (
    ("mask", MASK_COLUMNS),
    ("question", QUESTION_COLUMNS),
    ("caption", TEXT_COLUMNS),
    ("label", LABEL_COLUMNS),
    ("licence", LICENCE_COLUMNS),
)
_TEXTS = {"caption": TEXT_COLUMNS, "question": QUESTION_COLUMNS, "label": LABEL_COLUMNS}

Parsed = TypeVar("Parsed")


def read_material(where: str | Path, *, images: Path | None = None) -> Material:
    """Read a folder, a file of captions, or what `open_collection` opens.

    A folder's tables are taken for what their columns say: captions, (text, mask) pairs, questions, labels, licences.
    `masks/` beside the images is taken as masks where no table names any.

    Raises:
        InputError: nothing is there.
        OfflineError, MissingPackageError: as `open_collection`.
    """
    try:
        return _read(where, images)
    except PlaitError:
        raise
    except OSError as error:
        raise InputError(f"{where}: cannot be read: {os_sentence(error)}") from error


def _read(where: str | Path, images: Path | None) -> Material:
    path = Path(where)
    if source_of(where) in _WHOLE or split_where(where)[0] != where:
        return _of_collection(where, images)
    folder = path if path.is_dir() else path.parent
    found = Material(folder.resolve().name, str(where), folder=folder)
    for file in _tables_in(path):
        try:
            _read_table(file, found)
        except InputError as error:
            found.broken.append((str(file), str(error)))
    _read_splits(folder, found, besides=None if path.is_dir() else path)
    found.images = _images_folder(folder, images, found)
    _find_images(found)
    if not found.masks and (folder / "masks").is_dir():
        _masks_beside(folder / "masks", found)
    _say_what_cannot(found)
    return found


def _of_collection(where: str | Path, images: Path | None) -> Material:
    collection = open_collection(where, images=images)
    found = Material(collection.name, collection.origin)
    names = [photo.id for photo in collection.photos]
    found.photos = {photo.id: photo.source for photo in collection.photos}
    classes = collection.has_classes
    asked = "label" if classes else "question"
    found.rows = [
        TextRow(
            *(c.id, names[c.image], c.text, asked if c.answers else "caption"),
            answer="" if classes else "|".join(c.answers),
        )
        for c in collection.captions
        if not c.mask
    ]
    found.masks = [MaskRow(c.id, names[c.image], c.id, c.text, c.mask) for c in collection.captions if c.mask]
    found.tables = [
        Table(
            collection.origin,
            "mask" if found.masks else asked if collection.has_answers else "caption",
            len(collection.captions),
        )
    ]
    found.splits = {split: [names[i] for i in members] for split, members in collection.splits.items()}
    found.splits_at = collection.splits_from or collection.origin
    for skip in collection.skipped:
        if skip.expected:
            found.cannot.append(f"{skip.where}: {skip.reason}")
        else:
            found.broken.append((skip.where, skip.reason))
    _say_what_cannot(found)
    return found


def _tables_in(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    files = [file for file in list_folder(path) if file.is_file() and file.name != SPLITS_FILE]
    return [file for file in files if file.suffix.lower() in TABLE_SUFFIXES or file.name in CAPTION_FILES]


def _read_table(file: Path, found: Material) -> None:
    columns = first_columns(file) if file.suffix.lower() in TABLE_SUFFIXES else []
    is_delimited = file.suffix.lower() in (".csv", ".tsv")
    role = _role(columns)
    if find_column(columns, IMAGE_COLUMNS) is None or (role == "caption" and not is_delimited):
        # No header, or a form of its own: then it is captions, if the reader of captions can read it.
        rows = _caption_rows(file, columns, found)
        if rows is None:
            return
        read = [TextRow(r.where, r.image, r.text, "caption", r.split) for r in _collected(rows, found)]
        found.rows += read
        found.tables.append(Table(file.name, "caption", len(read), tuple(columns)))
        return
    if find_column(columns, LICENCE_COLUMNS) is not None:
        found.licences = found.licences if found.licences is not None else Counter()
    broken = len(found.broken)
    count = 0
    for place, cells in _collected(table_rows(file, label=file.name, last_takes_rest=TEXT_COLUMNS), found):
        count += 1
        _take(found, place, {str(name).lower(): value for name, value in cells.items()}, role)
    if count == 0 and len(found.broken) == broken:
        found.cannot.append(f"{file.name}: a header and no rows; nothing to check")
    found.tables.append(Table(file.name, role, count, tuple(columns)))


def _caption_rows(file: Path, columns: list[str], found: Material) -> Iterable[Row | Problem] | None:
    """Give the captions of a file without a known image column; None, with a note, where it holds something else."""
    if is_coco(file):
        return read_coco_rows(file, read_json_file(file))
    if file.name in CAPTION_FILES:
        return read_rows(file)
    if columns and find_column(columns, IMAGE_COLUMNS) is None:
        found.cannot.append(f"{file.name}: no column names an image (columns: {', '.join(columns)}); not checked")
        return None
    if not columns and file.suffix.lower() == ".json":
        data = read_json_file(file)
        if isinstance(data, dict) and "images" not in data:
            found.cannot.append(f"{file.name}: holds no list of images or rows; not checked")
            return None
    return read_rows(file)


def _collected(items: Iterable[Parsed | Problem], found: Material) -> Iterator[Parsed]:
    """Give the rows, and add the problems to what is broken."""
    for item in items:
        if isinstance(item, Problem):
            found.broken.append((item.where, item.reason))
        else:
            yield item


def _role(columns: list[str]) -> str:
    return next((role for role, names in _ROLES if find_column(columns, names) is not None), "image")


def _take(found: Material, place: str, cells: dict[str, Any], role: str) -> None:
    def cell(names: tuple[str, ...]) -> str:
        value = next((cells[name] for name in names if name in cells), "")
        return "" if value is None else str(value)

    image = cell(IMAGE_COLUMNS).strip()
    if not image:
        found.broken.append((place, "the row names no image"))
        return
    if found.licences is not None and find_column(cells, LICENCE_COLUMNS) is not None:
        found.licences[cell(LICENCE_COLUMNS).strip() or "(empty)"] += 1
    split = cell(SPLIT_COLUMNS).strip() or None
    if role == "mask":
        text = cell((*TEXT_COLUMNS, *LABEL_COLUMNS)).strip()
        found.masks.append(MaskRow(place, image, cell(MASK_COLUMNS).strip(), text))
    elif role in _TEXTS:
        found.rows.append(TextRow(place, image, cell(_TEXTS[role]), role, split, cell(ANSWER_COLUMNS).strip()))


def _read_splits(folder: Path, found: Material, *, besides: Path | None) -> None:
    try:
        given = find_splits(folder, besides=besides)
    except InputError as error:
        found.splits_at = SPLITS_FILE
        found.broken.append((SPLITS_FILE, str(error)))
        return
    if given is not None:
        found.splits_at = SPLITS_FILE
        found.splits = {name: list(members) for name, members in given.members.items()}
        return
    members: dict[str, dict[str, None]] = {}
    for row in found.rows:
        if row.split is not None:
            members.setdefault(row.split, {})[row.image] = None
    found.splits = {name: list(images) for name, images in members.items()}
    if found.splits:
        found.splits_at = "the column 'split'"


def _images_folder(folder: Path, images: Path | None, found: Material) -> Path | None:
    if images is not None:
        if not images.is_dir():
            raise InputError(f"--images {images}: no such folder; expected the folder that holds the images")
        return images
    if (folder / "images").is_dir():
        return folder / "images"
    names = list(dict.fromkeys([*(row.image for row in found.rows), *(mask.image for mask in found.masks)]))[:50]
    for place in (folder, *([folder.parent] if folder.name == "annotations" else [])):  # as COCO is unpacked
        try:
            return find_images(place, names)
        except InputError:
            continue
    return folder


def _find_images(found: Material) -> None:
    if found.images is None:
        return
    find: Finder = file_finder(found.images, found.origin)
    seen: set[str] = set()
    first_names: dict[Path, str] = {}
    same: dict[str, str] = {}  # another name of an image -> its first name
    named = [(row.where, row.image) for row in found.rows] + [(mask.where, mask.image) for mask in found.masks]
    named += [(f"{found.splits_at}, split {split!r}", name) for split, names in found.splits.items() for name in names]
    for place, name in named:
        if name in seen:
            continue
        seen.add(name)
        try:
            photo = find(name)
        except InputError as error:
            photo = Skip(name, str(error))
        if isinstance(photo, Skip):
            found.missing.append((place, name, photo.reason))
        elif isinstance(photo, Path) and first_names.setdefault(photo, name) != name:
            same[name] = first_names[photo]
        else:
            found.photos[name] = photo
    if same:
        _use_first_names(found, same)
    used = {path for path in found.photos.values() if isinstance(path, Path)}
    files = [file for file in sorted(found.images.rglob("*")) if file.suffix.lower() in IMAGE_SUFFIXES]
    if named:
        inside = found.images == found.folder  # then masks/ and others are below it
        found.unused = [str(f.relative_to(found.images)) for f in files if f not in used and not inside]
    else:
        found.photos = {str(file.relative_to(found.images)): file for file in files}


def _use_first_names(found: Material, same: dict[str, str]) -> None:
    found.rows = [replace(row, image=same.get(row.image, row.image)) for row in found.rows]
    found.masks = [replace(mask, image=same.get(mask.image, mask.image)) for mask in found.masks]
    found.splits = {split: [same.get(name, name) for name in names] for split, names in found.splits.items()}


def _masks_beside(folder: Path, found: Material) -> None:
    stems = {Path(name).stem: name for name in found.photos}
    for file in list_folder(folder):
        if file.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        name = next((stems[stem] for stem in (file.stem, file.stem.rpartition("_")[0]) if stem in stems), "")
        found.masks.append(MaskRow(f"masks/{file.name}", name, file.name))


def _say_what_cannot(found: Material) -> None:
    roles = {row.role for row in found.rows}
    if not roles & {"caption", "question"}:
        what = "labels" if "label" in roles else "masks" if found.masks else "image files"
        found.cannot.append(f"no captions were found, only {what}: texts were not checked")
    if not found.masks:
        found.cannot.append("no masks were found: masks were not checked")
    if not found.splits:
        found.cannot.append("the data has no splits: `plait` makes them, by image, and those were checked")
