"""Images sorted into one folder per class, with or without folders train, val and test above them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from plait.core.errors import InputError
from plait.data.assemble import Row, assemble
from plait.data.collection import Collection, Skip
from plait.data.finder import file_finder
from plait.data.images import IMAGE_SUFFIXES
from plait.data.sources.images_folder import list_folder
from plait.data.splits import SplitMaking, find_splits

__all__ = ["SPLIT_FOLDERS", "is_class_folders", "open_class_folders"]

# Names of folders that are splits, and the split that each is.
SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
# Folders that belong to other layouts: none of them is a class.
_OTHER = frozenset({"images", "masks", "annotations", "labels"})


def is_class_folders(path: Path) -> bool:
    """Tell whether a folder holds at least two folders of images, or folders named as splits that do."""
    inside = _folders(path)
    splits = [folder for folder in inside if folder.name.lower() in SPLIT_FOLDERS]
    if splits and len(splits) == len(inside):
        return any(_is_class(folder) for split in splits for folder in _folders(split))
    classes = [folder for folder in inside if folder.name.lower() not in _OTHER and _is_class(folder)]
    return len(classes) >= 2


def open_class_folders(path: Path, *, images: Path | None = None, making: SplitMaking | None = None) -> Collection:
    """Open class/name.jpg, or train/class/name.jpg with val/ and test/ beside it; the folder's name is the class.

    `splits.json` beside the folders is used if it is there and no folder is named as a split.

    Raises:
        InputError: fewer than two classes, a folder of images is requested besides, or see `assemble`.
    """
    if images is not None:
        raise InputError(f"{path}: the images lie in one folder per class here, so no other folder can be given")
    skipped: list[Skip] = []
    inside = _folders(path)
    splits = [folder for folder in inside if folder.name.lower() in SPLIT_FOLDERS]
    parted = bool(splits) and len(splits) == len(inside)
    rows = []
    for split in splits if parted else [path]:
        home = SPLIT_FOLDERS[split.name.lower()] if parted else None
        rows += list(_rows(path, split, home, skipped))
    classes = {row.text for row in rows}
    if len(classes) < 2:
        found = f"one, {next(iter(classes))!r}" if classes else "none"
        raise InputError(f"{path}: expected images in the folders of at least two classes, found {found}")
    return assemble(
        path.resolve().name,
        str(path),
        rows=rows,
        find=file_finder(path, str(path)),
        making=making or SplitMaking(),
        splits=None if parted else find_splits(path),
        row_splits="folders named train, val and test",
        skipped=skipped,
    )


def _rows(root: Path, parent: Path, split: str | None, skipped: list[Skip]) -> Iterator[Row]:
    """Give one row per image of the class folders in `parent`; what is no image is listed."""
    for folder in _folders(parent):
        name = " ".join(folder.name.split())
        count = 0
        for file in list_folder(folder):
            where = file.relative_to(root).as_posix()
            if file.is_dir():
                skipped.append(Skip(where, "a folder inside a class; its images belong into the class folder itself"))
            elif file.suffix.lower() in IMAGE_SUFFIXES:
                count += 1
                yield Row(where, where, name, split, answers=(name,))
            else:
                is_hidden = file.name.startswith(".") or file.name.lower() in ("thumbs.db", "desktop.ini")
                skipped.append(Skip(where, "not an image", expected=is_hidden))
        if not count:
            skipped.append(Skip(folder.relative_to(root).as_posix(), "the class folder holds no image"))


def _folders(path: Path) -> list[Path]:
    return [entry for entry in list_folder(path) if entry.is_dir() and not entry.name.startswith(".")]


def _is_class(folder: Path) -> bool:
    return any(file.suffix.lower() in IMAGE_SUFFIXES for file in list_folder(folder))
