"""Checks of splits: images in two of them, splits that are too small, lists that do not fit the rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import combinations

from plait.doctor.duplicates import Duplicates
from plait.doctor.findings import Example, Finding, finding
from plait.doctor.material import Material

__all__ = ["check_splits", "held_out_rank"]


def check_splits(material: Material, same: Duplicates, splits: Mapping[str, list[str]]) -> list[Finding]:
    """Give what is wrong with the splits; `splits` are those of the data, or those that plait makes."""
    found: list[Finding] = []
    homes: dict[str, list[str]] = defaultdict(list)
    for split, names in splits.items():
        for name in names:
            homes[name].append(split)
    twice = [(name, places) for name, places in homes.items() if len(places) > 1]
    at = material.splits_at or "the splits that plait makes"
    examples = [Example(f"{at}: {name}", f"in {' and in '.join(places)}", (name,)) for name, places in twice]
    found += finding("split_leak_name", examples, unit="images", of=len(homes))
    examples = []
    for group in same.exact:
        for a, b in combinations(group, 2):
            if homes.get(a) and homes.get(b) and homes[a][0] != homes[b][0]:
                examples.append(Example(f"{a} ({homes[a][0]})", f"is the same file as {b} ({homes[b][0]})", (a, b)))
    found += finding("split_leak_exact", examples, unit="pairs")
    examples = [
        Example(f"{a} ({homes[a][0]})", f"looks like {b} ({homes[b][0]}), {100 * value:.0f} % alike", (a, b))
        for a, b, value in same.near
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
    """Order splits by how important it is that they stay as published: test, val, others, train, none."""
    name = (split or "").lower()
    if not name:
        return 4
    return 0 if "test" in name else 1 if name.startswith(("val", "dev")) else 3 if "train" in name else 2
