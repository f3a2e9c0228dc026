"""Faithfulness over many answers: gains against random orders and the pointing game, with intervals over images."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from plait.core.errors import InputError
from plait.core.tables import load_entry, look_up
from plait.explain.faithfulness import NEARLY_EVEN, faithfulness, pointing
from plait.explain.methods import METHODS
from plait.explain.methods.relevance import Relevance
from plait.explain.subject import Subject
from plait.metrics.statistics import Interval, bootstrap_interval

__all__ = ["Case", "study"]


@dataclass(frozen=True, eq=False)
class Case:
    """One answer of a study.

    Fields:
        subject: what is explained
        region:  (h, w) float, the share of each cell that the true region covers, or None where there is no such region
    """

    subject: Subject
    region: np.ndarray | None = None


def study(
    cases: Iterable[Case], *, method: str, seed: int = 0, progress: Callable[[int], None] | None = None
) -> dict[str, Any]:
    """Measure how faithful a method's maps are, over images.

    Arguments:
        cases:    at least two, one per image
        progress: called with how many are done
    Returns: {"method", "images", "what", "deletion_gain", "insertion_gain" as {"mean", "low", "high"} in the unit of
        the answer (above 0 = better than random orders), "evenness": mean, "unlearned": mean rank correlation with the
        maps of shuffled weights, "pointing" and "pointing_centre" as {"mean", "low", "high"} in percent or None,
        "pointing_chance" in percent or None, "sentences"}. "pointing_centre" is what the cell in the middle hits.
    Raises:
        InputError: fewer than two cases.
        ConfigError: no such method, or one that the fusion cannot be explained by.
    """
    how: Callable[[Subject], Relevance] = load_entry(look_up("method", METHODS, method))
    values: dict[str, list[float]] = {key: [] for key in ("deletion", "insertion", "evenness", "unlearned")}
    points: dict[str, list[float]] = {key: [] for key in ("hit", "centre", "chance")}
    what = ""
    for number, case in enumerate(cases):
        found = how(case.subject)
        what = case.subject.what
        measured = faithfulness(case.subject, found, method=how, seed=seed + number)
        values["deletion"].append(measured.deletion_gain)
        values["insertion"].append(measured.insertion_gain)
        values["evenness"].append(measured.evenness)
        values["unlearned"].append(measured.unlearned or 0.0)
        if case.region is not None and case.region.max() > 0:
            hit, chance = pointing(found.image, case.region)
            centre = np.zeros(case.subject.grid)
            centre[case.subject.grid[0] // 2, case.subject.grid[1] // 2] = 1.0
            points["hit"].append(100.0 * hit)
            points["centre"].append(100.0 * pointing(centre.ravel(), case.region)[0])
            points["chance"].append(100.0 * chance)
        if progress is not None:
            progress(number + 1)
    images = len(values["deletion"])
    if images < 2:
        raise InputError(f"a study of explanations: expected at least two images, got {images}")
    deletion, insertion = bootstrap_interval(values["deletion"]), bootstrap_interval(values["insertion"])
    pointed = bool(points["hit"])
    result = {
        "method": method,
        "images": images,
        "what": what,
        "deletion_gain": _plain(deletion),
        "insertion_gain": _plain(insertion),
        "evenness": float(np.mean(values["evenness"])),
        "unlearned": float(np.mean(values["unlearned"])),
        "pointing": _plain(bootstrap_interval(points["hit"], bounds=(0.0, 100.0))) if pointed else None,
        "pointing_centre": _plain(bootstrap_interval(points["centre"], bounds=(0.0, 100.0))) if pointed else None,
        "pointing_chance": float(np.mean(points["chance"])) if pointed else None,
    }
    return {**result, "sentences": _sentences(result)}


def _plain(found: Interval) -> dict[str, float]:
    return {"mean": found.mean, "low": found.low, "high": found.high}


def _sentences(found: dict[str, Any]) -> list[str]:
    """Say what can be concluded."""
    said = []
    if found["evenness"] > NEARLY_EVEN:
        said.append(f"The maps are nearly even: spread over {100 * found['evenness']:.0f} % of the cells on average.")
    for key, name in (("deletion_gain", "Deletion"), ("insertion_gain", "Insertion")):
        low, high = found[key]["low"], found[key]["high"]
        if low > 0:
            said.append(f"{name} is better than random orders.")
        else:
            said.append(f"{name} is {'worse' if high < 0 else 'no better'} than random orders.")
    if found["unlearned"] > 0.5:
        said.append("Shuffled weights give much the same maps: they show the images more than what was learned.")
    return said
