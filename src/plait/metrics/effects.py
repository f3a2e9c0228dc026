"""How large a difference is, and how small a one could have been seen: effect sizes and power of paired comparisons."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from plait.core.errors import ShapeError
from plait.metrics.significance import checked_values, minimum_detectable_difference

__all__ = ["POWER", "Spread", "effect_size", "power_of_tests", "power_sentence", "spread_of"]

# The chance to see a difference that `detectable` speaks of.
POWER = 0.8


@dataclass(frozen=True)
class Spread:
    """What makes the difference of two fusions vary, in the metric's unit.

    Fields:
        photo_sd: standard deviation over photos of the difference (seeds averaged); weighted photos count by weight
        seed_sd:  standard deviation of one fusion's metric over seeds, pooled over both; 0 with one seed each
        photos:   photos with a weight above 0
        seeds:    the smaller number of seeds of the two
        better:   part of the photos on which the first is better, by weight, in percent
        worse:    likewise the second; the rest is equal
    """

    photo_sd: float
    seed_sd: float
    photos: int
    seeds: int
    better: float
    worse: float


def spread_of(
    a: np.ndarray | Sequence[float],
    b: np.ndarray | Sequence[float],
    *,
    weights: np.ndarray | Sequence[float] | None = None,
) -> Spread:
    """Measure what makes the difference a - b vary over photos and over seeds.

    Formula: with d_i the difference on photo i (seeds averaged), w_i its weight, m the weighted mean,
    photo_sd^2 = sum((w_i / mean w)^2 (d_i - m)^2) / (I - 1), so that photo_sd / sqrt(I) is the standard error of the
    weighted mean; seed_sd^2 = (SS_a + SS_b) / (S_a + S_b - 2), SS the squared deviations of seeds' means.

    Shapes:
        a, b:    (I,) or (S_a, I) and (S_b, I) float, what each photo adds under each seed
        weights: (I,) float >= 0, equal when None
    Undefined when: one photo counts: photo_sd is then 0.
    Raises:
        ShapeError: the two have different photos.
        InputError: as `paired_difference`.
    """
    first, weight = checked_values(a, weights, 0.95)
    second, _ = checked_values(b, weights, 0.95)
    if first.shape[1] != second.shape[1]:
        raise ShapeError(
            f"spread: expected both fusions on the same photos, got {first.shape[1]} and {second.shape[1]}"
        )
    share = weight / weight.sum()
    kept = weight > 0
    photos = int(kept.sum())
    difference = first.mean(axis=0) - second.mean(axis=0)
    centred = (difference - float(difference @ share)) * share * photos
    photo_sd = math.sqrt(float((centred[kept] ** 2).sum()) / max(photos - 1, 1))
    freedom = len(first) + len(second) - 2
    squares = sum(float(((table @ share - (table @ share).mean()) ** 2).sum()) for table in (first, second))
    return Spread(
        photo_sd=photo_sd,
        seed_sd=math.sqrt(squares / freedom) if freedom else 0.0,
        photos=photos,
        seeds=min(len(first), len(second)),
        better=100.0 * float(share[difference > 0].sum()),
        worse=100.0 * float(share[difference < 0].sum()),
    )


def effect_size(difference: float, low: float, high: float, *, spread: Spread) -> tuple[float, float, float] | None:
    """Give the paired standardised difference and its interval: Cohen's d_z over photos.

    Formula: d_z = difference / photo_sd, and likewise for the interval's ends, so that it excludes 0 exactly where the
    interval of the difference does. The deviation is taken as exact; with I photos it is off by about
    1 / sqrt(2 I), 2 % at 1,000. d_z says how many standard deviations of a photo's own difference the mean lies from 0:
    I photos see it at about 2.8 / sqrt(I). Cohen's words (0.2 small, 0.5 medium, 0.8 large) are for people, not for
    photos, where single answers are right or wrong and d_z of useful differences is often below 0.2.

    Undefined when: all photos differ alike (photo_sd is 0); then None.
    Source: Cohen 1988, section 2.3.5; Lakens 2013. Differs: training noise widens the interval.
    """
    if spread.photo_sd == 0:
        return None
    return difference / spread.photo_sd, low / spread.photo_sd, high / spread.photo_sd


def power_of_tests(tests: Sequence[Mapping[str, Any]], *, alpha: float = 0.05) -> list[dict[str, Any]]:
    """Say, for each metric tested, how small a true difference the comparison finds four times in five.

    Formula: `minimum_detectable_difference` of each pair at alpha / (number of tests), which is Holm's first and
    strictest step; the pairs' median, least and most are given. With one seed each, training noise is unknown and the
    figures speak of these trained models on other photos only (`seeds_counted` False).

    Arguments:
        tests: rows of `pairwise_tests`
    Returns: rows {"metric", "photos", "seeds", "tests", "alpha", "power", "detectable", "least", "most",
        "seeds_counted"}, detectable differences in the metric's unit.
    """
    rows = []
    for metric in dict.fromkeys(test["metric"] for test in tests):
        mine = [test for test in tests if test["metric"] == metric and test["photos"] >= 2]
        if not mine:
            continue
        found = [
            minimum_detectable_difference(
                photo_sd=test["photo_sd"],
                seed_sd=test["seed_sd"],
                photos=test["photos"],
                seeds=test["seeds"],
                alpha=alpha / len(tests),
                power=POWER,
            )
            for test in mine
        ]
        rows.append(
            {
                "metric": metric,
                "photos": mine[0]["photos"],
                "seeds": min(test["seeds"] for test in mine),
                "tests": len(tests),
                "alpha": alpha,
                "power": POWER,
                "detectable": median(found),
                "least": min(found),
                "most": max(found),
                "seeds_counted": all(test["seeds_counted"] for test in mine),
            }
        )
    return rows


def power_sentence(row: Mapping[str, Any]) -> str:
    """Put a row of `power_of_tests` into a sentence.

    Example:
        >>> row = {"photos": 1000, "seeds": 3, "tests": 1, "detectable": 1.44, "seeds_counted": True}
        >>> power_sentence(row)
        'With 3 seeds and 1,000 photos, a true difference under 1.4 points would be missed more than one time in five.'
    """
    if row["detectable"] == 0:
        return "They scored alike on every photo, so how small a difference could have been seen is unknown."
    seeds = f"{row['seeds']} seed{'' if row['seeds'] == 1 else 's'}"
    many = f" after correction for {row['tests']} tests" if row["tests"] > 1 else ""
    only = "" if row["seeds_counted"] else "; training noise, unknown with one seed, comes on top"
    return (
        f"With {seeds} and {row['photos']:,} photos, a true difference under {_points(row['detectable'])} points would "
        f"be missed more than one time in five{many}{only}."
    )


def _points(value: float) -> str:
    """Show a size of at least 0.05 with one decimal, a smaller one with one digit: never as 0.0."""
    return f"{value:.1f}" if value >= 0.05 else f"{value:.1g}"
