"""Checks of images: what is missing, damaged, there twice, or of an unusual size or kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from plait.data.fingerprints import BLANK
from plait.doctor.duplicates import Duplicates
from plait.doctor.findings import Example, Finding, finding
from plait.doctor.inspection import ImageFacts
from plait.doctor.material import Material

__all__ = ["check_images"]

TINY_PX = 64
HUGE_PIXELS = 24_000_000
LONG = 3.0


def check_images(
    material: Material, facts: Mapping[str, ImageFacts], same: Duplicates, splits: Mapping[str, list[str]]
) -> list[Finding]:
    """Give what is wrong with the images themselves; copies in two splits are left to `check_splits`."""
    total = len(facts)
    missing = [Example(place, f"{name}: {reason}") for place, name, reason in material.missing]
    found = finding("image_missing", missing, unit="images", of=total + len(missing))
    bad = {name: seen.problem for name, seen in facts.items() if seen.problem}
    cut = {name for name, why in bad.items() if "truncated" in why}
    for code, wanted in (("image_truncated", True), ("image_unreadable", False)):
        examples = [Example(name, why) for name, why in bad.items() if (name in cut) is wanted]
        found += finding(code, examples, unit="images", of=total)
    home = {name: split for split, names in splits.items() for name in names}
    groups = [group for group in same.exact if len({home.get(name) for name in group}) == 1]
    examples = [Example(group[0], f"the same file as {', '.join(group[1:])}", tuple(group)) for group in groups]
    extra = sum(len(group) - 1 for group in groups)
    found += finding("image_duplicate", examples, unit="images", of=total, count=extra)
    near = [(a, b, value) for a, b, value in same.near if home.get(a) == home.get(b)]
    examples = [Example(a, f"looks like {b} ({100 * value:.0f} % alike)", (a, b)) for a, b, value in near]
    found += finding("image_near_duplicate", examples, unit="pairs")
    good = {name: seen for name, seen in facts.items() if not seen.problem}
    found += _appearance(good) + _sizes(good)
    found += finding("image_unused", [Example(name, "no row names it") for name in material.unused], unit="files")
    return found


def _appearance(good: Mapping[str, ImageFacts]) -> list[Finding]:
    total = len(good)

    def of_kind(code: str, names: Iterable[str], what: str = "") -> list[Finding]:
        examples = [Example(name, what or _described(good[name]), (name,)) for name in names]
        return finding(code, examples, unit="images", of=total)

    found = of_kind("image_blank", (n for n, s in good.items() if s.hash == BLANK and _flat(s)), "one uniform colour")
    found += of_kind("image_grey", (n for n, s in good.items() if s.grey and not (s.hash == BLANK and _flat(s))))
    found += of_kind("image_cmyk", (n for n, s in good.items() if s.mode == "CMYK"))
    parts = {name: seen.transparent for name, seen in good.items() if seen.transparent}
    examples = [Example(name, f"{100 * part:.1f} % of it is transparent", (name,)) for name, part in parts.items()]
    return found + finding("image_transparent", examples, unit="images", of=total)


def _flat(seen: ImageFacts) -> bool:
    pixels = seen.pixels.astype(int)
    return bool((pixels.max(axis=(0, 1)) - pixels.min(axis=(0, 1))).max() < 12)


def _sizes(good: Mapping[str, ImageFacts]) -> list[Finding]:
    total = len(good)
    tiny = [name for name, seen in good.items() if min(seen.width, seen.height) < TINY_PX]
    huge = [name for name, seen in good.items() if seen.width * seen.height > HUGE_PIXELS]
    shape = [n for n, s in good.items() if max(s.width, s.height) > LONG * max(1, min(s.width, s.height))]
    found: list[Finding] = []
    for code, names in (("image_tiny", tiny), ("image_huge", huge), ("image_extreme_shape", shape)):
        found += finding(code, [Example(n, _described(good[n]), (n,)) for n in names], unit="images", of=total)
    sizes = {(seen.width, seen.height) for seen in good.values()}
    if len(sizes) == 1 and total > 1 and any(seen.kind != "array" for seen in good.values()):
        width, height = next(iter(sizes))
        if width == height:
            found += finding(
                "image_one_size", [], unit="images", of=total, count=total, detail=f"{width} x {height} px"
            )
    return found


def _described(seen: ImageFacts) -> str:
    return f"{seen.width} x {seen.height} px, {seen.kind} {seen.mode}"
