"""Read a data set without refusing anything: what is broken is what the doctor wants to see."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from plait.core.errors import InputError
from plait.data.assemble import Finder, file_finder, read_json_file
from plait.data.collection import Skip
from plait.data.images import IMAGE_SUFFIXES
from plait.data.masks.source import MaskSource
from plait.data.open import open_collection, source_of, split_where
from plait.data.sources.coco import is_coco, read_coco_rows
from plait.data.sources.folder import CAPTION_FILES
from plait.data.sources.rows import IMAGE_COLUMNS, SPLIT_COLUMNS, TEXT_COLUMNS, find_images, read_rows

__all__ = ["MaskRow", "Material", "Table", "TextRow", "read_material"]

MASK_COLUMNS = ("mask", "mask_path", "mask_file", "segmentation")
QUESTION_COLUMNS = ("question",)
ANSWER_COLUMNS = ("answer",)
LABEL_COLUMNS = ("label", "class", "category", "classname")
LICENCE_COLUMNS = ("license", "licence")


@dataclass(frozen=True)
class TextRow:
    """One row that says something of an image.

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
        text:   what it shows, "" where nothing says so
        source: where it is, if that is known with its polarity
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
    """Everything read of a data set, faults included.

    Fields:
        name, origin: as in `Collection`
        folder:     the data set's folder, None where it does not lie in one
        images:     the images' folder, likewise
        tables:     files read
        rows:       captions, questions and labels
        masks:      masks named by a table, or lying beside the images
        photos:     image name -> file or array
        missing:    (where, image name, reason), once an image
        splits:     split -> image names as given; empty where the data brings none
        splits_at:  file and column the splits come from
        licences:   licence -> images; None where no column names one
        unused:     image files that nothing names
        broken:     (where, reason) of files and rows that cannot be read
        cannot:     sentences: what cannot be checked here, and why
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


def read_material(where: str | Path, *, images: Path | None = None) -> Material:
    """Read a folder, a file of captions, or what `open_collection` opens.

    A folder's CSV and TSV files are taken for what their columns say: captions, (text, mask) pairs, questions, labels,
    licences. `masks/` beside the images is taken as masks where no table names any.

    Raises:
        InputError: nothing is there.
        OfflineError, MissingPackageError: as `open_collection`.
    """
    path = Path(where)
    if source_of(where) in ("hub", "scenes", "scenes_masks", "coco_masks") or split_where(where)[1] is not None:
        return _of_collection(where, images)
    folder = path if path.is_dir() else path.parent
    found = Material(folder.resolve().name, str(where), folder=folder)
    for file in _tables_in(path):
        try:
            _read_table(file, found)
        except InputError as error:
            found.broken.append((str(file), str(error)))
    _read_splits(folder, found)
    found.images = _images_folder(folder, images, found)
    _find_photos(found)
    if not found.masks and (folder / "masks").is_dir():
        _masks_beside(folder / "masks", found)
    _say_what_cannot(found)
    return found


def _of_collection(where: str | Path, images: Path | None) -> Material:
    collection = open_collection(where, images=images)
    found = Material(collection.name, collection.origin)
    names = [photo.id for photo in collection.photos]
    found.photos = {photo.id: photo.source for photo in collection.photos}
    found.rows = [TextRow(c.id, names[c.image], c.text, "caption") for c in collection.captions if not c.mask]
    found.masks = [MaskRow(c.id, names[c.image], c.id, c.text, c.mask) for c in collection.captions if c.mask]
    found.tables = [Table(collection.origin, "mask" if found.masks else "caption", len(collection.captions))]
    found.splits = {split: [names[i] for i in members] for split, members in collection.splits.items()}
    found.splits_at = collection.origin
    for skip in collection.skipped:
        # What was left out because it was asked for, or has no mask to look at, is no fault.
        if "photos have no mask" in skip.reason or "conditions asked for" in skip.reason:
            found.cannot.append(f"{skip.where}: {skip.reason}")
        else:
            found.broken.append((skip.where, skip.reason))
    _say_what_cannot(found)
    return found


def _tables_in(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    known = {".csv", ".tsv", ".jsonl", ".ndjson", ".json"}
    files = [file for file in sorted(path.iterdir()) if file.is_file() and file.name != "splits.json"]
    return [file for file in files if file.suffix.lower() in known or file.name in CAPTION_FILES]


def _read_table(file: Path, found: Material) -> None:
    columns = _columns(file)
    lower = [column.lower() for column in columns]
    if not any(name in lower for name in IMAGE_COLUMNS):
        # no header, or a form of its own: then it is captions, if the reader of captions can read it
        if file.suffix.lower() in (".csv", ".tsv") and file.name not in CAPTION_FILES and columns:
            found.cannot.append(f"{file.name}: no column names an image (columns: {', '.join(columns)}); not checked")
            return
        rows = read_coco_rows(file, read_json_file(file)) if is_coco(file) else read_rows(file, None)
        read = [TextRow(row.where, row.image, row.text, "caption", row.split) for row in rows]
        found.rows += read
        found.tables.append(Table(file.name, "caption", len(read)))
        return
    role = _role(lower)
    if role == "licence" or any(name in lower for name in LICENCE_COLUMNS):
        found.licences = found.licences if found.licences is not None else Counter()
    before = len(found.rows) + len(found.masks)
    count = 0
    for place, cells in _cells(file, columns):
        count += 1
        _take(found, place, cells, role)
    if count == 0:
        found.cannot.append(f"{file.name}: a header and no rows; nothing to check")
    elif len(found.rows) + len(found.masks) == before and role not in ("licence", "image"):
        found.broken.append((str(file), "no usable row"))
    found.tables.append(Table(file.name, role, count, tuple(columns)))


def _role(lower: list[str]) -> str:
    for role, names in (
        ("mask", MASK_COLUMNS),
        ("question", QUESTION_COLUMNS),
        ("caption", TEXT_COLUMNS),
        ("label", LABEL_COLUMNS),
        ("licence", LICENCE_COLUMNS),
    ):
        if any(name in lower for name in names):
            return role
    return "image"


def _take(found: Material, place: str, cells: dict[str, str], role: str) -> None:
    def cell(names: tuple[str, ...]) -> str:
        return next((cells[name] for name in names if name in cells), "")

    image = cell(IMAGE_COLUMNS).strip()
    if not image:
        found.broken.append((place, "the row names no image"))
        return
    if found.licences is not None and any(name in cells for name in LICENCE_COLUMNS):
        found.licences[cell(LICENCE_COLUMNS).strip() or "(empty)"] += 1
    split = cell(SPLIT_COLUMNS).strip() or None
    if role == "mask":
        text = cell((*TEXT_COLUMNS, *LABEL_COLUMNS)).strip()
        found.masks.append(MaskRow(place, image, cell(MASK_COLUMNS).strip(), text))
    elif role in ("caption", "question", "label"):
        text = cell({"caption": TEXT_COLUMNS, "question": QUESTION_COLUMNS, "label": LABEL_COLUMNS}[role])
        found.rows.append(TextRow(place, image, text, role, split, cell(ANSWER_COLUMNS).strip()))


def _columns(file: Path) -> list[str]:
    if file.suffix.lower() not in (".csv", ".tsv"):
        return []
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            first = stream.readline()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read as UTF-8 text: {error}") from error
    return [cell.strip().strip('"') for cell in first.strip().split(_divider(file, first))] if first.strip() else []


def _divider(file: Path, first: str) -> str:
    return (
        "\t" if file.suffix.lower() == ".tsv" or "\t" in first else ";" if first.count(";") > first.count(",") else ","
    )


def _cells(file: Path, columns: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    lower = [column.lower() for column in columns]
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            first = stream.readline()
            reader = csv.reader(stream, delimiter=_divider(file, first))
            for row in reader:
                if any(cell.strip() for cell in row):
                    place = f"{file.name}, row {reader.line_num + 1}"
                    # a caption with commas that nobody quoted: the last column takes what is left
                    kept = [*row[: len(lower) - 1], ",".join(row[len(lower) - 1 :])] if len(row) > len(lower) else row
                    yield place, dict(zip(lower, kept, strict=False))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file}: cannot be read to its end: {error}") from error


def _read_splits(folder: Path, found: Material) -> None:
    path = folder / "splits.json"
    if path.is_file():
        found.splits_at = path.name
        try:
            data = read_json_file(path)
        except InputError as error:
            found.broken.append((path.name, str(error)))
            return
        if not isinstance(data, dict) or not all(isinstance(members, list) for members in data.values()):
            found.broken.append((path.name, 'expected an object such as {"train": ["a.jpg"], "val": ["b.jpg"]}'))
            return
        found.splits = {str(name): [str(member) for member in members] for name, members in data.items()}
        return
    for row in found.rows:
        if row.split is not None:
            members = found.splits.setdefault(row.split, [])
            if row.image not in members[-1:]:
                members.append(row.image)
    if found.splits:
        found.splits = {name: list(dict.fromkeys(members)) for name, members in found.splits.items()}
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


def _find_photos(found: Material) -> None:
    if found.images is None:
        return
    find: Finder = file_finder(found.images, found.origin)
    asked: set[str] = set()
    named = [(row.where, row.image) for row in found.rows] + [(mask.where, mask.image) for mask in found.masks]
    named += [(f"{found.splits_at}, split {split!r}", name) for split, names in found.splits.items() for name in names]
    for place, name in named:
        if name in asked:
            continue
        asked.add(name)
        try:
            photo = find(name)
        except InputError as error:
            photo = Skip(name, str(error))
        if isinstance(photo, Skip):
            found.missing.append((place, name, photo.reason))
        else:
            found.photos[name] = photo
    used = {path for path in found.photos.values() if isinstance(path, Path)}
    files = [file for file in sorted(found.images.rglob("*")) if file.suffix.lower() in IMAGE_SUFFIXES]
    if named:
        inside = found.images == found.folder  # then masks/ and others lie below it
        found.unused = [str(f.relative_to(found.images)) for f in files if f not in used and not inside]
    else:
        found.photos = {str(file.relative_to(found.images)): file for file in files}


def _masks_beside(folder: Path, found: Material) -> None:
    stems = {Path(name).stem: name for name in found.photos}
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        name = next((stems[stem] for stem in (file.stem, file.stem.rpartition("_")[0]) if stem in stems), "")
        found.masks.append(MaskRow(f"masks/{file.name}", name, file.name))


def _say_what_cannot(found: Material) -> None:
    roles = {row.role for row in found.rows}
    if not roles & {"caption", "question"}:
        what = "labels" if "label" in roles else "masks" if found.masks else "image files"
        found.cannot.append(f"no captions were found, only {what}: nothing is said about sentences")
    if not found.masks:
        found.cannot.append("no masks were found: nothing is said about masks")
    if not found.splits:
        found.cannot.append("the data brings no splits: `plait` makes them, by photo, and those were checked")
