"""Checks of images and splits: what is damaged, twice there, in two splits, or of an odd size or kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import combinations

import numpy as np

from plait.doctor.findings import Example, Finding, finding
from plait.doctor.look import PhotoFacts
from plait.doctor.material import Material
from plait.data.fingerprints import BLANK, likeness, near_duplicates

__all__ = ["Twins", "check_photos", "check_splits", "find_twins", "held_out_rank"]

TINY_PX = 64
HUGE_PIXELS = 24_000_000
LONG = 3.0
# Within so many bits two photos are looked at again; then their thumbnails must correlate. Tried on 10,934 photos of
# four public sets: all pairs above 0.93 were copies or the next shot of a scene, all strangers below 0.91.
NEAR_BITS = 12
NEAR_LIKENESS = 0.93


class Twins:
    """Images that are the same, byte for byte (`exact`), and pairs that look the same but are not (`near`).

    Fields:
        exact: groups of two image names or more, in the data's order
        near:  (first, second, correlation of their thumbnails)
    """

    def __init__(self, exact: list[list[str]], near: list[tuple[str, str, float]]) -> None:
        self.exact = exact
        self.near = near


def find_twins(facts: Mapping[str, PhotoFacts]) -> Twins:
    """Find copies and near-copies among the images that can be read; blank ones have no near-copies."""
    by_digest: dict[str, list[str]] = defaultdict(list)
    for name, seen in facts.items():
        if not seen.problem:
            by_digest[seen.digest].append(name)
    exact = [names for names in by_digest.values() if len(names) > 1]
    names = [group[0] for group in by_digest.values()]
    pairs = near_duplicates([facts[name].look for name in names], max_bits=NEAR_BITS)
    if not pairs:
        return Twins(exact, [])
    needed = sorted({index for pair in pairs for index in pair})
    place = {index: position for position, index in enumerate(needed)}
    small = np.stack([facts[names[index]].pixels for index in needed])
    alike = likeness(small, [(place[a], place[b]) for a, b in pairs])
    near = [
        (names[a], names[b], float(value)) for (a, b), value in zip(pairs, alike, strict=True) if value >= NEAR_LIKENESS
    ]
    return Twins(exact, sorted(near, key=lambda pair: -pair[2]))


def check_photos(
    material: Material, facts: Mapping[str, PhotoFacts], twins: Twins, splits: Mapping[str, list[str]]
) -> list[Finding]:
    """Give what is wrong with the images themselves; twins in two splits are `check_splits`'s."""
    total = len(facts)
    missing = [Example(place, f"{name}: {reason}") for place, name, reason in material.missing]
    found = finding("image_missing", missing, unit="images", of=total + len(missing))
    bad = {name: seen.problem for name, seen in facts.items() if seen.problem}
    cut = {name for name, why in bad.items() if "truncated" in why}
    for code, wanted in (("image_truncated", True), ("image_unreadable", False)):
        examples = [Example(name, why) for name, why in bad.items() if (name in cut) is wanted]
        found += finding(code, examples, unit="images", of=total)
    home = {name: split for split, names in splits.items() for name in names}
    same = [group for group in twins.exact if len({home.get(name) for name in group}) == 1]
    examples = [Example(group[0], f"the same file as {', '.join(group[1:])}", tuple(group)) for group in same]
    extra = sum(len(group) - 1 for group in same)
    found += finding("image_duplicate", examples, unit="images", of=total, count=extra)
    near = [(a, b, value) for a, b, value in twins.near if home.get(a) == home.get(b)]
    examples = [Example(a, f"looks like {b} ({100 * value:.0f} % alike)", (a, b)) for a, b, value in near]
    found += finding("image_near_duplicate", examples, unit="pairs")
    good = {name: seen for name, seen in facts.items() if not seen.problem}
    found += _looks(good) + _sizes(good)
    found += finding("image_unused", [Example(name, "no row names it") for name in material.unused], unit="files")
    return found


def _looks(good: Mapping[str, PhotoFacts]) -> list[Finding]:
    total = len(good)

    def of_kind(code: str, names: Iterable[str], what: str = "") -> list[Finding]:
        examples = [Example(name, what or _described(good[name]), (name,)) for name in names]
        return finding(code, examples, unit="images", of=total)

    found = of_kind("image_blank", (n for n, s in good.items() if s.look == BLANK and _flat(s)), "one even colour")
    found += of_kind("image_grey", (n for n, s in good.items() if s.grey and not (s.look == BLANK and _flat(s))))
    found += of_kind("image_cmyk", (n for n, s in good.items() if s.mode == "CMYK"))
    clear = {name: seen.clear for name, seen in good.items() if seen.clear}
    examples = [Example(name, f"{100 * part:.1f} % of it is transparent", (name,)) for name, part in clear.items()]
    return found + finding("image_transparent", examples, unit="images", of=total)


def _flat(seen: PhotoFacts) -> bool:
    pixels = seen.pixels.astype(int)
    return bool((pixels.max(axis=(0, 1)) - pixels.min(axis=(0, 1))).max() < 12)


def _sizes(good: Mapping[str, PhotoFacts]) -> list[Finding]:
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


def _described(seen: PhotoFacts) -> str:
    return f"{seen.width} x {seen.height} px, {seen.kind} {seen.mode}"


def check_splits(material: Material, twins: Twins, splits: Mapping[str, list[str]]) -> list[Finding]:
    """Give what is wrong with the splits; `splits` are those of the data, or those plait makes."""
    found: list[Finding] = []
    homes: dict[str, list[str]] = defaultdict(list)
    for split, names in splits.items():
        for name in names:
            homes[name].append(split)
    twice = [(name, places) for name, places in homes.items() if len(places) > 1]
    at = material.splits_at or "the splits plait makes"
    examples = [Example(f"{at}: {name}", f"in {' and in '.join(places)}", (name,)) for name, places in twice]
    found += finding("split_leak_name", examples, unit="images", of=len(homes))
    examples = []
    for group in twins.exact:
        for a, b in combinations(group, 2):
            if homes.get(a) and homes.get(b) and homes[a][0] != homes[b][0]:
                examples.append(Example(f"{a} ({homes[a][0]})", f"is the same file as {b} ({homes[b][0]})", (a, b)))
    found += finding("split_leak_exact", examples, unit="pairs")
    examples = [
        Example(f"{a} ({homes[a][0]})", f"looks like {b} ({homes[b][0]}), {100 * value:.0f} % alike", (a, b))
        for a, b, value in twins.near
        if homes.get(a) and homes.get(b) and homes[a][0] != homes[b][0]
    ]
    found += finding("split_leak_near", examples, unit="pairs")
    small = [Example(f"{at}, {split}", f"{len(names)} images") for split, names in splits.items() if len(names) < 2]
    found += finding("split_small", small, unit="splits", of=len(splits))
    if not material.splits:
        return found + finding("split_absent", [], unit="data set", count=1)
    named = {row.image for row in material.rows} | {mask.image for mask in material.masks}
    idle = [Example(f"{at}, {home[0]}", name) for name, home in homes.items() if name not in named]
    found += finding("split_no_text", idle, unit="images", of=len(homes))
    loose = [Example(name, "in no split") for name in sorted(named - homes.keys()) if name in material.photos]
    return found + finding("split_outside", loose, unit="images", of=len(named))


def held_out_rank(split: str | None) -> int:
    """Order splits by how much they must stay as they are: test, then val, then others, then training, then none."""
    name = (split or "").lower()
    if not name:
        return 4
    return 0 if "test" in name else 1 if name.startswith(("val", "dev")) else 3 if "train" in name else 2
