"""Checks of masks: polarity, transparency, size, levels, and whether the text can matter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, median
from typing import Any

from plait.data.masks.source import MaskSource
from plait.doctor.findings import Example, Finding, finding
from plait.doctor.inspection import ImageFacts, MaskFacts
from plait.doctor.material import Material

__all__ = ["check_masks", "mask_facts", "mask_sources"]

# A set whose masks mark more than this on average is taken for inverted: objects are rarely most of an image.
MOSTLY = 0.6


def mask_sources(material: Material) -> dict[str, MaskSource]:
    """Find the masks: those in memory, else files in `masks/` or relative to the folder; never one of the images."""
    folder = material.folder
    photos = {photo for photo in material.photos.values() if isinstance(photo, Path)}
    found = {mask.mask: mask.source for mask in material.masks if mask.source is not None}
    for mask in material.masks:
        named = mask.source is None and mask.mask and folder is not None
        if named and folder and ".." not in Path(mask.mask).parts and not Path(mask.mask).is_absolute():
            places = (folder / "masks" / mask.mask, folder / mask.mask)
            if path := next((place for place in places if _is_file(place) and place not in photos), None):
                found[mask.mask] = MaskSource(path)
    return found


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long
        return False


def mask_facts(seen: Mapping[str, MaskFacts], material: Material) -> dict[str, Any]:
    """Give the number of masks and how much they mark, as plain data; empty without masks."""
    marked = [facts.marked for facts in seen.values() if not facts.problem]
    if not marked:
        return {}
    return {
        "rows": len(material.masks),
        "files": len(seen),
        "images": len({mask.image for mask in material.masks}),
        "texts": len({mask.text for mask in material.masks if mask.text}),
        "marked": {"mean": round(fmean(marked), 4), "median": round(median(marked), 4), "most": round(max(marked), 4)},
    }


def check_masks(material: Material, seen: Mapping[str, MaskFacts], photos: Mapping[str, ImageFacts]) -> list[Finding]:
    """Give what is wrong with the masks."""
    if not material.masks:
        return []
    rows, total = material.masks, len(seen)
    lost = [Example(r.where, f"{r.mask or 'no name'}: no such mask") for r in rows if r.mask not in seen]
    lost += [Example(r.where, f"{r.mask}: no image belongs to it") for r in rows if not r.image]
    found = finding("mask_missing", lost, unit="rows", of=len(rows))
    bad = [Example(name, facts.problem) for name, facts in seen.items() if facts.problem]
    found += finding("mask_unreadable", bad, unit="masks", of=total)
    good = {name: facts for name, facts in seen.items() if not facts.problem}
    declared = {mask.mask for mask in rows if mask.source is not None and mask.source.polarity == "alpha"}
    alpha = [n for n, f in good.items() if f.transparent is not None and 0 < f.transparent < 1 and n not in declared]
    examples = [Example(name, f"{100 * (good[name].transparent or 0):.1f} % of it is transparent") for name in alpha]
    found += finding("mask_alpha", examples, unit="masks", of=total)
    grey = {name: facts for name, facts in good.items() if name not in set(alpha)}
    unclear = [Example(name, facts.unclear) for name, facts in grey.items() if facts.unclear]
    found += finding("mask_unclear", unclear, unit="masks", of=total)
    found += _polarity(grey)
    for code, wanted in (("mask_empty", 0.0), ("mask_full", 1.0)):
        examples = [Example(name, f"{f.width} x {f.height} px") for name, f in grey.items() if f.marked == wanted]
        found += finding(code, examples, unit="masks", of=total)
    many = [
        Example(name, f"{f.levels} grey levels")
        for name, f in grey.items()
        if f.levels > 2 and not f.unclear and name not in declared
    ]
    found += finding("mask_levels", many, unit="masks", of=total)
    odd = []
    for row in rows:
        mask, image = good.get(row.mask), photos.get(row.image)
        if mask and image and not image.problem and (mask.width, mask.height) != (image.width, image.height):
            sizes = f"{mask.width} x {mask.height} px; its image has {image.width} x {image.height}"
            odd.append(Example(row.where, f"{row.mask}: {sizes}", (row.image,)))
    found += finding("mask_size", odd, unit="rows", of=len(rows))
    return found + _alone(material)


def _polarity(good: Mapping[str, MaskFacts]) -> list[Finding]:
    marked = sorted(good, key=lambda name: -good[name].marked)
    if not marked:
        return []
    mean, middle = fmean(f.marked for f in good.values()), median(f.marked for f in good.values())
    if mean <= MOSTLY or middle <= MOSTLY:
        return []
    examples = [Example(name, f"{100 * good[name].marked:.1f} % marked") for name in marked]
    over = sum(facts.marked > MOSTLY for facts in good.values())
    detail = f"mean {100 * mean:.1f} %, median {100 * middle:.1f} % of a mask is marked; all ones score IoU {mean:.3f}"
    return finding("mask_polarity", examples, unit="masks", of=len(good), count=over, detail=detail)


def _alone(material: Material) -> list[Finding]:
    texts: dict[str, set[str]] = defaultdict(set)
    for row in material.masks:
        texts[row.image].add(row.text or row.mask)
    single = [Example(image, f"only “{next(iter(t))}”", (image,)) for image, t in texts.items() if len(t) == 1]
    return finding("mask_text_alone", single, unit="images", of=len(texts))
