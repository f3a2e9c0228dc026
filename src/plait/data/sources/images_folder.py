"""Which folder holds the images that a table names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from plait.core.errors import InputError
from plait.core.os_errors import os_sentence
from plait.data.collection import Skip
from plait.data.finder import file_finder
from plait.data.sources.table import read_text

__all__ = ["IMAGES_POINTER", "find_images", "list_folder"]

# A file of one line beside the captions: the folder of the images, where they are stored elsewhere.
IMAGES_POINTER = "images_folder.txt"


def find_images(folder: Path, names: Iterable[str]) -> Path:
    """Give the folder that holds the images of these names: `folder` itself or one in it, such as images/.

    Where there is no images/ but an `images_folder.txt`, its one line names the folder, relative to `folder`.

    Raises:
        InputError: none does; the message names the folders searched.
    """
    if (pointer := folder / IMAGES_POINTER).is_file() and not (folder / "images").is_dir():
        return _pointed(pointer)
    inside = [path for path in list_folder(folder) if path.is_dir()]
    inside.sort(key=lambda path: (path.name.lower() != "images", path))
    wanted = list(names)
    if not wanted:
        raise InputError(f"{folder}: no row names an image; expected at least one row with an image and a caption")
    for candidate in (*inside, folder):
        finder = file_finder(candidate, str(folder))
        if any(not isinstance(finder(name), Skip) for name in wanted):
            return candidate
    looked = ", ".join(f"{path.name}/" for path in inside) or "no sub-folder"
    raise InputError(
        f"{folder}: none of the first {len(wanted)} images named by the captions is here or in {looked} "
        f"(for instance {wanted[0] if wanted else 'none'!r}); put them in {folder / 'images'} or say where they are"
    )


def list_folder(folder: Path) -> list[Path]:
    """Give what a folder holds, sorted. Raises InputError where it cannot be read."""
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: the folder cannot be read: {os_sentence(error)}") from error


def _pointed(pointer: Path) -> Path:
    line = read_text(pointer).strip()
    place = pointer.parent / line
    if not line or "\n" in line or not place.is_dir():
        raise InputError(
            f"{pointer}: expected one line with the images' folder, got {line[:80]!r}, which is not a folder here; "
            "correct it, or say where the images are"
        )
    return place
