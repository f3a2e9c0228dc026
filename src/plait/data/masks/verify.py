"""Read every mask once: does it exist, does it fit its image, does it mark anything, and is it inverted?"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from statistics import fmean, median
from typing import Any

from plait.core.errors import InputError, StorageError
from plait.core.files import write_bytes
from plait.data.collection import Collection, Skip, keep_captions
from plait.data.image_files import photo_size
from plait.data.masks.load import another_size, load_mask
from plait.data.masks.source import MaskReading, Region

__all__ = ["MOSTLY", "mask_facts", "verify_masks"]

# A set whose masks mark more than this, in mean and median, is taken for inverted: objects are rarely most of an image.
MOSTLY = 0.6

Progress = Callable[[int, int], None]
# Of one mask: the part of the image that it marks; or why it cannot be used, and whether the size is the reason.
_Outcome = tuple[float, str, bool]


def verify_masks(collection: Collection, progress: Progress | None = None, *, root: Path | None = None) -> Collection:
    """Give the collection without the captions whose mask cannot be used; each is listed as a `Skip`.

    Masks that cannot be read, or not without a guess, are left out; so are empty ones, unless the collection's reading
    keeps them. Images without any caption left are removed too. A collection without masks is returned as it is.

    Arguments:
        collection: what to check
        progress:   called with (masks done, masks in total)
        root:       folder of the caches: the outcome is kept there by content; None = keep nothing

    Raises:
        InputError: a mask has another size than its image; a caption has none while others have; most masks cannot be
            read; nearly everything is marked and no polarity was declared; or a split has fewer than 2 images left.
    """
    if all(caption.mask is None for caption in collection.captions):
        return collection
    reading = collection.reading or MaskReading()
    outcomes = _outcomes(collection, root, progress)
    captions = collection.captions
    odd = [i for i, (_, _, size) in enumerate(outcomes) if size]
    if odd:
        others = f"; {len(odd)} of {len(outcomes)} masks have another size" if len(odd) > 1 else ""
        raise InputError(f"{outcomes[odd[0]][1]}{others}")
    bad = {i: problem for i, (_, problem, _) in enumerate(outcomes) if problem}
    if 2 * len(bad) > len(outcomes):
        raise InputError(
            f"{collection.origin}: {len(bad)} of {len(outcomes)} masks cannot be used; the first: {bad[min(bad)]}"
        )
    areas = [area for area, problem, _ in outcomes if not problem]
    if not reading.polarity and _inverted(areas) and not _is_declared_by_format(collection):
        raise InputError(
            f"{collection.origin}: masks mark {100 * fmean(areas):.0f} % of their images on average (median "
            f"{100 * median(areas):.0f} %): probably they are inverted. If they are, add '#polarity=background' to the "
            "data set's name; if this is intended, '#polarity=foreground'"
        )
    skipped = [Skip(captions[i].id, problem) for i, problem in bad.items()]
    if reading.empty == "skip":
        empty = [i for i, (area, problem, _) in enumerate(outcomes) if not problem and area == 0]
        skipped += [Skip(captions[i].id, f"the mask of {captions[i].text[:60]!r} marks nothing") for i in empty]
        bad |= dict.fromkeys(empty, "empty")
    if not bad:
        return collection
    return keep_captions(collection, (i for i in range(len(captions)) if i not in bad), skipped=skipped).check_splits()


def mask_facts(collection: Collection, *, root: Path | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """Give the number of masks and how much they mark, as plain data; arguments as `verify_masks`.

    Keys: count, texts (distinct ones), polarities, area {mean, median, most} in [0, 1] over readable masks or None,
    empty, unusable, first_problem ("" without), nearly_all_foreground, splits {name: {masks, mean_area}}.
    """
    outcomes = _outcomes(collection, root, progress)
    areas = [area for area, problem, _ in outcomes if not problem]
    problems = [problem for _, problem, _ in outcomes if problem]
    splits = {}
    for name in collection.splits:
        own = [outcomes[i][0] for i in collection.captions_of(name) if not outcomes[i][1]]
        splits[name] = {"masks": len(own), "mean_area": round(fmean(own), 4) if own else None}
    return {
        "count": len(outcomes),
        "texts": len({caption.text for caption in collection.captions}),
        "polarities": sorted({c.mask.polarity.partition(":")[0] for c in collection.captions if c.mask is not None}),
        "area": {"mean": round(fmean(areas), 4), "median": round(median(areas), 4), "most": round(max(areas), 4)}
        if areas
        else None,
        "empty": sum(area == 0 for area in areas),
        "unusable": len(problems),
        "first_problem": problems[0] if problems else "",
        "nearly_all_foreground": _inverted(areas),
        "splits": splits,
    }


def _inverted(areas: list[float]) -> bool:
    return bool(areas) and fmean(areas) > MOSTLY and median(areas) > MOSTLY


def _is_declared_by_format(collection: Collection) -> bool:
    """Tell whether the format defines which pixels are meant: transparency, label numbers, COCO's formats."""
    masks = [caption.mask for caption in collection.captions if caption.mask is not None]
    return all(m.polarity not in ("foreground", "background") or isinstance(m.content, Region) for m in masks)


def _outcomes(collection: Collection, root: Path | None, progress: Progress | None) -> list[_Outcome]:
    file = None
    if root is not None:
        try:
            file = root / "verified" / f"masks-{collection.fingerprint}.json"
        except InputError:  # a mask or image that cannot be read; it is reported below
            file = None
    if file is not None and (known := _load(file, len(collection.captions))) is not None:
        if progress:
            progress(len(known), len(known))
        return known

    sizes: dict[int, tuple[int, int]] = {}
    lost: dict[int, str] = {}
    for image in sorted({caption.image for caption in collection.captions}):
        try:
            sizes[image] = photo_size(collection.photos[image].source)
        except InputError as error:
            lost[image] = str(error)

    def one(index: int) -> _Outcome:
        caption = collection.captions[index]
        if caption.mask is None:
            return 0.0, f"{collection.origin}: caption {caption.id!r} has no mask, while others have", False
        if caption.image in lost:
            return 0.0, lost[caption.image], False
        try:
            mask = load_mask(caption.mask)
        except InputError as error:
            return 0.0, str(error), False
        size = sizes[caption.image]
        if mask.shape != size:
            return 0.0, another_size(caption.mask, mask.shape, size), True
        return float(mask.mean()), "", False

    found: list[_Outcome] = []
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for outcome in pool.map(one, range(len(collection.captions))):
            found.append(outcome)
            if progress and (len(found) % 100 == 0 or len(found) == len(collection.captions)):
                progress(len(found), len(collection.captions))
    if file is not None:
        with suppress(StorageError):  # a cache that cannot be written only costs time
            write_bytes(file, json.dumps(found).encode())
    return found


def _load(file: Path, count: int) -> list[_Outcome] | None:
    try:
        known = [(float(area), str(problem), bool(size)) for area, problem, size in json.loads(file.read_bytes())]
    except (OSError, ValueError, TypeError):
        return None
    return known if len(known) == count else None
