"""COCO's captions JSON: `images` with id and file_name, `annotations` with image_id and caption."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plait.core.errors import InputError
from plait.data.assemble import Row, assemble
from plait.data.collection import Collection
from plait.data.finder import file_finder
from plait.data.sources.images_folder import find_images
from plait.data.sources.table import Problem, read_json_file, strict
from plait.data.splits import SplitMaking, find_splits

__all__ = ["is_coco", "open_coco", "read_coco_rows"]


def is_coco(path: Path) -> bool:
    """Tell whether a file is JSON with images and annotations."""
    if path.suffix.lower() != ".json":
        return False
    data = read_json_file(path)
    return isinstance(data, dict) and "images" in data and "annotations" in data


def open_coco(path: Path, *, images: Path | None = None, making: SplitMaking | None = None) -> Collection:
    """Open a COCO captions file; images are looked for beside it and, as COCO is unpacked, beside its folder.

    Raises:
        InputError: a key is missing, an annotation belongs to no image, or the images are not found.
    """
    rows = list(strict(read_coco_rows(path, read_json_file(path))))
    names = [row.image for row in rows[:50]]
    folder = images
    if folder is None:
        try:
            folder = find_images(path.parent, names)
        except InputError:
            if path.parent.name != "annotations":
                raise
            folder = find_images(path.parent.parent, names)
    return assemble(
        path.stem,
        str(path),
        rows=rows,
        find=file_finder(folder, str(path)),
        making=making or SplitMaking(),
        splits=find_splits(path.parent, besides=path),
    )


def read_coco_rows(path: Path, data: Any) -> Iterator[Row | Problem]:
    """Give a row for each annotation of COCO's captions JSON; a problem names the key that is missing."""
    if missing := [key for key in ("images", "annotations") if not isinstance(data[key], list)]:
        yield Problem(str(path), f"key {missing[0]!r}: expected a list, got {data[missing[0]]!r:.60}")
        return
    names = {}
    for number, image in enumerate(data["images"]):
        try:
            names[image["id"]] = str(image["file_name"])
        except (KeyError, TypeError):
            yield Problem(f"{path}: images[{number}]", f"expected id and file_name, got {_keys(image)}")
    for number, annotation in enumerate(data["annotations"]):
        where = f"{path}: annotations[{number}]"
        try:
            image, text = annotation["image_id"], annotation["caption"]
        except (KeyError, TypeError):
            found = _keys(annotation)
            yield Problem(
                where, f"expected image_id and caption, got {found}; is this COCO's captions file, not instances?"
            )
            continue
        if image not in names:
            yield Problem(where, f"image_id {image!r} is none of the {len(names)} in images")
        elif not isinstance(text, str):
            yield Problem(where, f"key 'caption': expected a sentence, got {text!r:.60}")
        else:
            yield Row(where, names[image], text)


def _keys(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, dict) else repr(value)[:60]
