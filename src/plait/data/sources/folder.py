"""A folder with images and a file of captions: the layout of most small data sets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from plait.core.errors import InputError
from plait.data.collection import Collection
from plait.data.sources.coco import is_coco, open_coco
from plait.data.sources.coco_masks import find_mask_json
from plait.data.sources.images_folder import list_folder
from plait.data.sources.mask_rows import find_mask_table, is_mask_table
from plait.data.sources.rows import open_rows
from plait.data.splits import SplitMaking

__all__ = ["CAPTION_FILES", "find_captions", "find_masks", "has_captions", "open_folder"]

CAPTION_FILES = (
    *("captions.csv", "captions.tsv", "captions.jsonl", "captions.json", "captions.txt", "results.csv", "token.txt"),
    *("results_20130124.token", "Flickr8k.token.txt"),
)


def open_folder(path: Path, *, images: Path | None = None, making: SplitMaking | None = None) -> Collection:
    """Open a folder with `captions.csv` (or one of `CAPTION_FILES`), images in `images/`, maybe `splits.json`.

    Raises:
        InputError: there is no file of captions; the message names what was found instead.
    """
    captions = find_captions(path)
    if images is None and (path / "images").is_dir():
        images = path / "images"
    opener = open_coco if is_coco(captions) else open_rows
    collection = opener(captions, images=images, making=making)
    return replace(collection, name=path.resolve().name, origin=str(path))


def find_captions(path: Path) -> Path:
    """Give the file of captions in a folder. Raises InputError when there is none."""
    for name in CAPTION_FILES:
        if (path / name).is_file():
            return path / name
    found = [entry.name for entry in list_folder(path)][:8]
    raise InputError(
        f"{path}: no file of captions; expected captions.csv with columns image,caption (or {', '.join(CAPTION_FILES)})"
        f"; the folder holds: {', '.join(found) or 'nothing'}"
    )


def has_captions(path: Path) -> bool:
    """Tell whether a folder holds a file of captions that is not a table of masks."""
    return any((path / name).is_file() and not is_mask_table(path / name) for name in CAPTION_FILES)


def find_masks(path: Path) -> Path | None:
    """Give the table or JSON of masks in a folder, or None. Raises InputError where a JSON file cannot be read."""
    return find_mask_table(path) or find_mask_json(path)
