"""How large a difference is, and how small a one could have been seen: effect sizes and power of paired comparisons."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from plait.core.errors import ShapeError
from plait.core.metric import Metric
from plait.metrics.significance import checked_values, minimum_detectable_difference, seed_variance

__all__ = ["POWER", "Spread", "effect_size", "power_of_tests", "spread_of"]

# The chance to detect the difference that `detectable` gives.
POWER = 0.8


@dataclass(frozen=True)
class Spread:
    """What makes the difference of two fusions vary, in the metric's unit.

    Fields:
        image_sd:    standard deviation over images of the difference (seeds averaged); weighted images count by weight
        seed_sd:     standard deviation of one fusion's metric over seeds, pooled over both; 0 with one seed each
        training_sd: the part of it that is training noise, without the noise of single images under single seeds
        images:      images with a weight above 0
        seeds:       the smaller number of seeds of the two
        better:      part of the images on which the first has the higher value, by weight, in percent
        worse:       likewise the second; the rest is equal
    """

    image_sd: float
    seed_sd: float
    training_sd: float
    images: int
    seeds: int
    better: float
    worse: float

    def to_json(self) -> dict[str, float | int]:
        """Give the fields under the keys of results.json, where images are "photos"."""
        return {
            "photo_sd": self.image_sd,
            "seed_sd": self.seed_sd,
            "training_sd": self.training_sd,
            "photos": self.images,
            "seeds": self.seeds,
            "better": self.better,
            "worse": self.worse,
        }


def spread_of(
    a: np.ndarray | Sequence[float],
    b: np.ndarray | Sequence[float],
    *,
    weights: np.ndarray | Sequence[float] | None = None,
) -> Spread:
    """Measure what makes the difference a - b vary over images and over seeds.

    Formula: with d_i the difference on image i (seeds averaged), w_i its weight, m the weighted mean,
    image_sd^2 = sum((w_i / mean w)^2 (d_i - m)^2) / (I - 1), so that image_sd / sqrt(I) is the standard error of the
    weighted mean; seed_sd^2 and training_sd^2 are `total` and `training` of `significance.seed_variance`.

    Shapes:
        a, b:    (I,) or (S_a, I) and (S_b, I) float, what each image adds under each seed
        weights: (I,) float >= 0, equal when None
    Undefined when: one image counts: image_sd is then 0.
    Raises:
        ShapeError: the two have different images.
        InputError: as `paired_difference`.
    """
    first, weight = checked_values(a, weights, 0.95)
    second, _ = checked_values(b, weights, 0.95)
    if first.shape[1] != second.shape[1]:
        raise ShapeError(
            f"spread: expected both fusions on the same images, got {first.shape[1]} and {second.shape[1]}"
        )
    share = weight / weight.sum()
    kept = weight > 0
    images = int(kept.sum())
    difference = first.mean(axis=0) - second.mean(axis=0)
    centred = (difference - float(difference @ share)) * share * images
    image_sd = math.sqrt(float((centred[kept] ** 2).sum()) / max(images - 1, 1))
    by_seed = seed_variance((first, second), share)
    return Spread(
        image_sd=image_sd,
        seed_sd=math.sqrt(by_seed.total),
        training_sd=math.sqrt(by_seed.training),
        images=images,
        seeds=min(len(first), len(second)),
        better=100.0 * float(share[difference > 0].sum()),
        worse=100.0 * float(share[difference < 0].sum()),
    )


def effect_size(difference: float, low: float, high: float, *, spread: Spread) -> tuple[float, float, float] | None:
    """Give the paired standardised difference and its interval: Cohen's d_z over images.

    Formula: d_z = difference / image_sd, and likewise for the interval's ends, so that it excludes 0 exactly where the
    interval of the difference does. The deviation is taken as exact; with I images it is off by about
    1 / sqrt(2 I), 2 % at 1,000. d_z says how many standard deviations of one image's difference the mean lies from 0:
    I images show it at about 2.8 / sqrt(I). Cohen's words (0.2 small, 0.5 medium, 0.8 large) are for people, not for
    images, where single answers are right or wrong and d_z of useful differences is often below 0.2.

    Undefined when: all images differ alike (image_sd is 0); then None.
    Source: Cohen 1988, section 2.3.5; Lakens 2013. Differs: training noise widens the interval.
    """
    if spread.image_sd == 0:
        return None
    return difference / spread.image_sd, low / spread.image_sd, high / spread.image_sd


def power_of_tests(
    tests: Sequence[Mapping[str, Any]], *, alpha: float = 0.05, metrics: Mapping[str, Metric] | None = None
) -> list[dict[str, Any]]:
    """Say, for each metric tested, how small a true difference the comparison finds four times in five.

    Formula: `minimum_detectable_difference` of each pair at alpha / (number of tests), which is Holm's first and
    strictest step. Pairs may have different numbers of seeds: those with the fewest count, and their median, least and
    most are given. No figure is larger than `limit`, the largest difference that the metric's bounds allow. With one
    seed each, training noise is unknown and the figures are about these trained models on other images
    (`seeds_counted` False).

    Arguments:
        tests:   rows of results.json "tests"
        metrics: key -> metric, for bounds and unit; a metric that is not there is taken as one in percent
    Returns: rows {"metric", "photos", "seeds", "tests", "alpha", "power", "detectable", "least", "most", "limit",
        "unit", "seeds_counted"}, detectable differences in the metric's unit, "limit" None where there is no bound.
    """
    rows = []
    for key in dict.fromkeys(test["metric"] for test in tests):
        mine = [test for test in tests if test["metric"] == key and test["photos"] >= 2]
        if not mine:
            continue
        metric = (metrics or {}).get(key)
        low, high = (0.0, 100.0) if metric is None else metric.bounds
        limit = high - low
        seeds = min(test["seeds"] for test in mine)
        fewest = [test for test in mine if test["seeds"] == seeds]
        found = [min(limit, _detectable(test, alpha / len(tests))) for test in fewest]
        rows.append(
            {
                "metric": key,
                "photos": mine[0]["photos"],
                "seeds": seeds,
                "tests": len(tests),
                "alpha": alpha,
                "power": POWER,
                "detectable": median(found),
                "least": min(found),
                "most": max(found),
                "limit": limit if math.isfinite(limit) else None,
                "unit": "%" if metric is None else metric.unit,
                "seeds_counted": all(test["seeds_counted"] for test in fewest),
            }
        )
    return rows


def _detectable(test: Mapping[str, Any], alpha: float) -> float:
    return minimum_detectable_difference(
        image_sd=test["photo_sd"],
        # results of earlier versions do not tell training noise from that of images
        training_sd=test.get("training_sd", test["seed_sd"]),
        images=test["photos"],
        seeds=test["seeds"],
        alpha=alpha,
        power=POWER,
    )
