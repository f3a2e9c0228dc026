"""Image files by paths of files and folders: what commands on many photos read, and what is left out of it."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from plait.core.errors import InputError
from plait.data.given import as_path
from plait.data.images import IMAGE_SUFFIXES
from plait.data.sources.images_folder import list_folder

__all__ = ["photo_files"]


def photo_files(places: Iterable[str | PathLike[str]]) -> list[Path]:
    """Give the image files of paths: a file as it is, of a folder every image in it and in the folders below, sorted.

    A file that is named is given whatever its suffix; whether it can be read shows when it is read. A file that comes
    twice is given once.

    Raises:
        InputError: nothing is there by that name, or a folder holds no image.
    """
    found: dict[Path, None] = {}
    for place in places:
        path = as_path(place, "photo", error=InputError)
        if not path.is_dir():
            found[path] = None
            continue
        inside = list(_below(path))
        if not inside:
            raise InputError(f"{path}: the folder holds no image ({', '.join(IMAGE_SUFFIXES)})")
        found |= dict.fromkeys(inside)
    if not found:
        raise InputError("expected at least one photo or folder, got none")
    return list(found)


def _below(folder: Path) -> Iterable[Path]:
    for entry in list_folder(folder):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _below(entry)
        elif entry.suffix.lower() in IMAGE_SUFFIXES:
            yield entry
