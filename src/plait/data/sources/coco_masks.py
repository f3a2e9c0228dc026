"""COCO's masks: instances and panoptic JSON by category, and referring expressions in the layout of RefCOCO."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from plait.core.errors import InputError
from plait.data.assemble import Row, assemble
from plait.data.collection import Collection, Skip
from plait.data.finder import file_finder
from plait.data.masks.source import MaskReading, MaskSource, Region
from plait.data.sources.images_folder import find_images
from plait.data.sources.table import read_json_file
from plait.data.splits import SplitMaking, find_splits

__all__ = ["Layout", "find_mask_json", "layout_of", "open_coco_masks"]

Layout = Literal["instances", "phrases", "panoptic", "references", ""]
# Every image of such a file is annotated with all of its categories.
_CATEGORIES = "categories"
_NAMES = ("instances", "panoptic", "refs", "refcoco")


def layout_of(data: Any) -> Layout:
    """Give the layout of a JSON file's content, "" = none with masks.

    "instances": images, annotations with segmentation and category_id, categories; "phrases": the same with a caption
    in each image (MDETR's form of RefCOCO); "panoptic": annotations with segments_info; "references": RefCOCO's own
    list of objects with ann_id and sentences, whose regions are in an instances file beside it.
    """
    if isinstance(data, list) and data and isinstance(data[0], dict):
        return "references" if {"ann_id", "sentences"} <= data[0].keys() else ""
    if not isinstance(data, dict) or not isinstance(data.get("annotations"), list) or not data["annotations"]:
        return ""
    first = data["annotations"][0]
    if not isinstance(first, dict):
        return ""
    if "segments_info" in first:
        return "panoptic"
    if "segmentation" not in first:
        return ""
    images = data.get("images") or [{}]
    return "phrases" if isinstance(images[0], dict) and "caption" in images[0] else "instances"


def find_mask_json(folder: Path) -> Path | None:
    """Give a file of COCO masks in a folder or its annotations/, or None. Only names such as instances*.json count."""
    for place in (folder, folder / "annotations"):
        for name in (*_NAMES[2:], *_NAMES[:2]):  # a phrase is more specific than a category
            for path in sorted(place.glob(f"{name}*.json")):
                if layout_of(read_json_file(path)):
                    return path
    return None


def open_coco_masks(
    path: Path,
    *,
    images: Path | None = None,
    making: SplitMaking | None = None,
    masks: MaskReading | None = None,
) -> Collection:
    """Open COCO masks: one row per image and category (the union of its instances), or per referring sentence.

    Images are looked for beside the file and beside its folder; panoptic PNGs in the folder with the file's name.

    Raises:
        InputError: a key is missing, an annotation belongs to no image or category, or the images are not found.
    Source: Lin et al. 2014 (COCO), Kirillov et al. 2019 (panoptic), Yu et al. 2016 and Mao et al. 2016 (RefCOCO).
    """
    reading = masks or MaskReading()
    if reading.polarity or reading.rows:
        raise InputError(f"{path}: COCO's format defines which pixels are meant, and it has no columns; leave out both")
    data = read_json_file(path)
    skipped: list[Skip] = []
    readers = {"instances": _categories, "phrases": _phrases, "panoptic": _panoptic, "references": _references}
    layout = layout_of(data)
    if layout not in readers:
        raise InputError(f"{path}: expected COCO's instances, panoptic or RefCOCO's references, found none of them")
    rows = list(readers[layout](path, data, skipped))
    if not rows:
        raise InputError(f"{path}: no annotation with a mask in it; {len(skipped)} things were skipped")
    return assemble(
        path.stem,
        str(path),
        rows=rows,
        find=file_finder(images or _images_folder(path, [row.image for row in rows[:50]]), str(path)),
        making=making or SplitMaking(),
        splits=find_splits(path.parent, besides=path),
        row_splits="key 'split'",
        skipped=skipped,
        reading=reading,
    )


def _images_folder(path: Path, names: list[str]) -> Path:
    try:
        return find_images(path.parent, names)
    except InputError:
        if path.parent.name != "annotations":
            raise
        return find_images(path.parent.parent, names)


def _categories(path: Path, data: Any, skipped: list[Skip]) -> Iterator[Row]:
    images, names = _images(path, data), _category_names(path, data)
    parts: dict[tuple[Any, Any], list[Any]] = {}
    for number, annotation in enumerate(data["annotations"]):
        where = f"{path}: annotations[{number}]"
        image, category = _cell(where, annotation, "image_id"), _cell(where, annotation, "category_id")
        if category not in names:
            raise InputError(f"{where}: category_id {category!r} is none of the {len(names)} in categories")
        part = _part(where, annotation, _image(where, images, image))
        parts.setdefault((image, category), []).append(part)
    for (image, category), found in parts.items():
        info = images[image]
        where = f"{path}: {info['file_name']}, {names[category]}"
        region = Region(*_size(where, info), tuple(found))
        yield Row(where, str(info["file_name"]), names[category], None, MaskSource(region, where=where), _CATEGORIES)


def _phrases(path: Path, data: Any, skipped: list[Skip]) -> Iterator[Row]:
    images = _images(path, data)
    parts: dict[Any, list[Any]] = {}
    for number, annotation in enumerate(data["annotations"]):
        where = f"{path}: annotations[{number}]"
        image = _cell(where, annotation, "image_id")
        parts.setdefault(image, []).append(_part(where, annotation, _image(where, images, image)))
    for image, info in images.items():
        where = f"{path}: image {image}"
        if image not in parts:
            skipped.append(Skip(where, "the phrase has no region"))
            continue
        region = Region(*_size(where, info), tuple(parts[image]))
        text = str(_cell(where, info, "caption"))
        yield Row(where, str(info["file_name"]), text, None, MaskSource(region, where=where))


def _references(path: Path, data: Any, skipped: list[Skip]) -> Iterator[Row]:
    beside = next(iter(sorted(path.parent.glob("instances*.json"))), None)
    if beside is None:
        raise InputError(f"{path}: expected the regions in an instances.json beside it, found none")
    instances = read_json_file(beside)
    if layout_of(instances) != "instances":
        raise InputError(f"{beside}: expected COCO's images, annotations with segmentation, and categories")
    images = _images(beside, instances)
    regions = {_cell(f"{beside}: annotation", one, "id"): one for one in instances["annotations"]}  # type: ignore[index]
    for number, reference in enumerate(data):
        where = f"{path}: item {number}"
        annotation = regions.get(_cell(where, reference, "ann_id"))
        if annotation is None:
            skipped.append(Skip(where, f"no annotation {reference['ann_id']!r} in {beside.name}"))
            continue
        info = _image(where, images, _cell(where, annotation, "image_id"))
        region = Region(*_size(where, info), (_part(where, annotation, info),))
        split = str(reference["split"]) if reference.get("split") else None
        for sentence in _cell(where, reference, "sentences"):
            said = sentence if isinstance(sentence, str) else sentence.get("raw") or sentence.get("sent") or ""
            yield Row(where, str(info["file_name"]), str(said), split, MaskSource(region, where=where))


def _panoptic(path: Path, data: Any, skipped: list[Skip]) -> Iterator[Row]:
    images, names = _images(path, data), _category_names(path, data)
    places = [place for place in (path.with_suffix(""), path.parent / "masks", path.parent) if place.is_dir()]
    finders = [file_finder(place, str(path)) for place in places]
    for number, annotation in enumerate(data["annotations"]):
        where = f"{path}: annotations[{number}]"
        info = _image(where, images, _cell(where, annotation, "image_id"))
        name = str(_cell(where, annotation, "file_name"))
        file = next((file for find in finders if isinstance(file := find(name), Path)), None)
        if file is None:
            skipped.append(Skip(f"{where}: {name}", f"no such mask in {' or '.join(map(str, places))}"))
            continue
        ids: dict[Any, list[int]] = {}
        for segment in _cell(where, annotation, "segments_info"):
            ids.setdefault(_cell(where, segment, "category_id"), []).append(int(_cell(where, segment, "id")))
        for category, segments in ids.items():
            if category not in names:
                raise InputError(f"{where}: category_id {category!r} is none of the {len(names)} in categories")
            polarity = "segment:" + "+".join(map(str, segments))
            at = f"{where}, {names[category]}"
            yield Row(at, str(info["file_name"]), names[category], None, MaskSource(file, polarity, at), _CATEGORIES)


def _images(path: Path, data: Any) -> dict[Any, Any]:
    found = {}
    for number, image in enumerate(data.get("images") or []):
        where = f"{path}: images[{number}]"
        _cell(where, image, "file_name")
        found[_cell(where, image, "id")] = image
    return found


def _category_names(path: Path, data: Any) -> dict[Any, str]:
    # COCO's stuff classes are named "wall-brick" and "food-other-merged"; those are read as words.
    found = {}
    for number, category in enumerate(data.get("categories") or []):
        where = f"{path}: categories[{number}]"
        name = str(_cell(where, category, "name"))
        found[_cell(where, category, "id")] = " ".join(
            part for part in name.split("-") if part not in ("merged", "other", "stuff")
        )
    return found


def _image(where: str, images: Mapping[Any, Any], image: Any) -> Any:
    if image not in images:
        raise InputError(f"{where}: image_id {image!r} is none of the {len(images)} in images")
    return images[image]


def _size(where: str, info: Mapping[str, Any]) -> tuple[int, int]:
    return int(_cell(where, info, "height")), int(_cell(where, info, "width"))


def _part(where: str, annotation: Any, info: Mapping[str, Any]) -> Any:
    """Give the segmentation as a part of a `Region`."""
    given = _cell(where, annotation, "segmentation")
    if isinstance(given, Mapping):
        counts, size = _cell(where, given, "counts"), tuple(_cell(where, given, "size"))
        if size != _size(where, info):
            raise InputError(f"{where}: run lengths of (height, width) {size}, but the image has {_size(where, info)}")
        return counts
    if not isinstance(given, list):
        raise InputError(f"{where}: segmentation: expected polygons or run lengths, got {given!r:.60}")
    return tuple(given)


def _cell(where: str, value: Any, key: str) -> Any:
    if not isinstance(value, Mapping) or key not in value:
        got = ", ".join(map(str, value)) if isinstance(value, Mapping) else repr(value)[:60]
        raise InputError(f"{where}: expected {key}, got {got}")
    return value[key]
