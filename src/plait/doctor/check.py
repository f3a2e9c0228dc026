"""Check a data set: read it, decode its images and masks, and list what was found, the most serious first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plait.core.errors import InputError
from plait.data.describe import printable
from plait.data.splits import SplitMaking
from plait.doctor.duplicates import Duplicates, find_duplicates
from plait.doctor.findings import Example, Finding, finding
from plait.doctor.images import check_images
from plait.doctor.inspection import ImageFacts, inspect_images, inspect_masks
from plait.doctor.masks import check_masks, mask_facts, mask_sources
from plait.doctor.material import Material
from plait.doctor.read import read_material
from plait.doctor.splits import check_splits
from plait.doctor.texts import check_texts, text_facts

__all__ = ["Checkup", "check_data"]

_ORDER = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class Checkup:
    """What the doctor found.

    Fields:
        material:   the data as read
        photos:     facts of each image
        duplicates: copies and near-copies
        splits:     the data's, or those that plait makes
        findings:   errors first, then warnings, then notes
        facts:      counts, as plain data
    """

    material: Material
    photos: dict[str, ImageFacts]
    duplicates: Duplicates
    splits: dict[str, list[str]]
    findings: tuple[Finding, ...]
    facts: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Give it as plain data with stable keys.

        Keys: name, origin, tables [{file, role, rows, columns}], images {...}, splits {name: images}, splits_given,
        captions / questions / labels / masks (where there are any), licences, cannot [sentences], counts {severity:
        findings}, findings [{code, severity, title, count, of, unit, detail, effect, fix, examples}].
        """
        found: dict[str, Any] = printable(
            {
                "name": self.material.name,
                "origin": self.material.origin,
                **self.facts,
                "counts": {s: sum(f.kind.severity == s for f in self.findings) for s in _ORDER},
                "findings": [found.to_json() for found in self.findings],
            }
        )
        return found


def check_data(
    where: str | Path,
    *,
    images: Path | None = None,
    root: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Checkup:
    """Check a folder, a file of captions, "hub:NAME" or "scenes[:COUNT]". Nothing of the data is changed.

    Arguments:
        where, images: as `open_collection`; a folder may also hold masks, questions, labels
        root:          folder of the caches: facts of an image are kept there by its content
        progress:      called with ("images" or "masks", done, in total)

    Raises:
        InputError: nothing is there to check.
        OfflineError, MissingPackageError: as `open_collection`.
    """
    material = read_material(where, images=images)
    if not material.photos and not material.missing:
        raise InputError(f"{where}: no images, and no table that names any; expected images/ and captions.csv")

    def reporting(what: str) -> Callable[[int, int], None] | None:
        return None if progress is None else lambda done, total: progress(what, done, total)

    photos = inspect_images(material.photos, root=root, progress=reporting("images"))
    masks = inspect_masks(mask_sources(material), root=root, progress=reporting("masks"))
    duplicates = find_duplicates(photos)
    splits, made = _splits(material, photos)
    found = finding("table_broken", [Example(place, why) for place, why in material.broken], unit="places") + made
    found += check_images(material, photos, duplicates, splits)
    found += check_splits(material, duplicates, splits)
    found += check_texts(material, splits)
    found += check_masks(material, masks, photos)
    facts = {
        "tables": [
            {"file": t.file, "role": t.role, "rows": t.rows, "columns": list(t.columns)} for t in material.tables
        ],
        "images": _image_facts(photos),
        "splits": {split: len(names) for split, names in splits.items()},
        "splits_given": bool(material.splits),
        **text_facts(material),
        **({"masks": marked} if (marked := mask_facts(masks, material)) else {}),
        "licences": None if material.licences is None else dict(material.licences.most_common()),
        "cannot": list(material.cannot),
    }
    ordered = sorted(found, key=lambda one: _ORDER[one.kind.severity])
    return Checkup(material, photos, duplicates, splits, tuple(ordered), facts)


def _splits(material: Material, photos: dict[str, ImageFacts]) -> tuple[dict[str, list[str]], list[Finding]]:
    if material.splits:
        return material.splits, []
    usable = [name for name in dict.fromkeys(row.image for row in material.rows) if name in photos]
    names = [name for name in usable if not photos[name].problem] or [n for n, f in photos.items() if not f.problem]
    try:
        made = SplitMaking().splits(names)
    except InputError as error:
        return {}, finding("split_small", [Example("the splits that plait makes", str(error))], unit="data set")
    return {split: [names[index] for index in members] for split, members in made.items()}, []


def _image_facts(photos: dict[str, ImageFacts]) -> dict[str, Any]:
    good = [seen for seen in photos.values() if not seen.problem]
    facts: dict[str, Any] = {"files": len(photos), "readable": len(good)}
    if good:
        facts["kinds"] = dict(Counter(f"{seen.kind} {seen.mode}" for seen in good).most_common())
        for side in ("width", "height"):
            values = sorted(getattr(seen, side) for seen in good)
            facts[side] = {"least": values[0], "median": values[len(values) // 2], "most": values[-1]}
        facts["rotated"] = sum(seen.rotated for seen in good)
    return facts
