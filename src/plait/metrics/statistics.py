"""How sure a number is: bootstrap intervals over images and seeds, and paired differences.

Two things vary when a comparison is repeated: which images are tested, and how training fell out (the seed). Images are
resampled; seeds, of which there are three rather than a thousand, enter as a random effect:

    replicate = estimate + (d + e) * sqrt(f / X)

with d the deviation of a mean over resampled images (seeds averaged first), e a normal draw with the variance that
training noise gives the mean over seeds, and X chi-squared with f degrees of freedom, so that intervals are as wide as
Student's t asks when the variance comes from few seeds. Resampling three seeds as images are resampled would give 2/3
of their variance and know only ten different sets.

Seeds' figures differ for two reasons: training noise, which moves all images together, and the noise of single images
under single seeds (an answer that is right under one seed and wrong under the next). d contains the second already. It
is therefore subtracted from the variance over seeds (`significance.seed_variance`), and what is left, at least 0, is
e's variance. Counted in both parts, as in earlier versions, it made a test at 5 % reject equal fusions as rarely as
once in 100. f is Satterthwaite's with the mean square before the subtraction (`significance.satterthwaite`): with the
smaller one, tests at 5 % would reject up to 8 % for three seeds.

What `benchmarks/self_check.py` measures, and `benchmarks/results/self_check.json` holds, are two cases that must not be
confused. One seed: nothing is known about training noise; intervals and tests are about these trained models on other
images, and `seeds_counted` is False. Several seeds: they are about the fusions, trained again. Errors of a test at 5 %,
as computed for normal noise and 200 images over all shares of the three kinds of noise: 3 to 7.5 % for two seeds each,
3 to 6 % for three, 3 to 5.5 % for five. The low ends are where there is no training noise at all, which two or three
seeds cannot know; the high ends are where there is hardly anything else. The interval of one fusion's mean rests on
half as many degrees of freedom as a test of two: where there is hardly anything but training noise, it covers the truth
in 92 of 100 cases with three seeds, in 88 with two, in 94 with five.

With fewer than `significance.FEW_IMAGES` images the percentile bootstrap is too narrow: its variance lacks the factor
I / (I - 1), its quantiles are the normal's, and near the end of a scale, where nearly all images agree, it is narrower
still. Deviations are then widened by the factor and by X (in the formula above) with one seed too, and the interval of
a bounded mean contains Wilson's. From that number on intervals are the plain ones. Near the end of a scale they stay a
little narrow up to a few hundred images (a mean of 5 % over 100 images: 92 % coverage).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from plait.core.errors import ShapeError
from plait.metrics.effects import effect_size, spread_of
from plait.metrics.resampling import TrainingNoise, ends_of, mean_replicates, median_variance
from plait.metrics.significance import (
    FEW_IMAGES,
    checked_values,
    holm,
    seed_variance,
    sign_flip_p,
    student_tail,
    wilson_interval,
)

__all__ = [
    "Difference",
    "Interval",
    "bootstrap_interval",
    "bootstrap_median",
    "holm_corrected",
    "paired_difference",
    "paired_test",
]

_BLOCK_ENTRIES = 4_000_000
# Fewer replicates than this beyond 0 are too few to count: the tail of Student's t takes their place.
_FEW = 10


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval, in the unit of the values.

    Fields:
        mean:          the estimate: mean over images (weighted) and seeds
        low, high:     ends of the interval
        seeds_counted: whether training noise is in it (two seeds or more)
    """

    mean: float
    low: float
    high: float
    seeds_counted: bool


@dataclass(frozen=True)
class Difference:
    """How two fusions differ on the same images: a minus b, in the unit of the values.

    Fields:
        difference:    the estimate
        low, high:     ends of the interval
        p:             two-sided, from the same replicates as the interval: below 1 - level exactly where it excludes 0
        p_sign_flip:   two-sided permutation p over images alone; says nothing of training noise
        seeds_counted: whether training noise is in `low`, `high` and `p`
    """

    difference: float
    low: float
    high: float
    p: float
    p_sign_flip: float
    seeds_counted: bool


def bootstrap_interval(
    values: np.ndarray | Sequence[float],
    *,
    weights: np.ndarray | Sequence[float] | None = None,
    level: float = 0.95,
    resamples: int = 4000,
    seed: int = 0,
    bounds: tuple[float, float] | None = None,
) -> Interval:
    """Give the mean over images and seeds with a percentile bootstrap interval.

    Formula: see the module. The weighted mean is sum(w v) / sum(w), both sums over the same resampled images.

    Shapes:
        values:  (I,) or (S, I) float, what each image adds under each seed
        weights: (I,) float >= 0, how much each image counts; equal when None
    Units: as `values`; `bounds` cuts the ends, for example to (0, 100).
    Undefined when: there is no image, or all weights are 0 (an error). With one image, or where all images agree, the
        image part has width 0: the bootstrap cannot see what never occurred in the sample. With few images and finite
        bounds, Wilson's interval takes its place.
    Raises:
        ShapeError: shapes do not fit.
        InputError: nothing to average, a value that is not finite, a negative weight, a level outside (0, 1).
    Source: Efron and Tibshirani 1993, chapter 13. Differs: seeds as a random effect, above.
    Example:
        >>> bootstrap_interval(np.full(20, 50.0)).low
        50.0
    """
    table, weight = checked_values(values, weights, level)
    share = weight / weight.sum()
    estimate = float((table @ weight / weight.sum()).mean())
    noise = TrainingNoise.of(seed_variance((table,), share), (len(table),))
    replicates, deviation, freedom = mean_replicates(table.mean(axis=0), weight, noise, resamples, seed)
    low, high = ends_of(replicates, level)
    if bounds is not None:
        images = int((weight > 0).sum())
        if images < FEW_IMAGES and math.isfinite(bounds[1] - bounds[0]):
            span = bounds[1] - bounds[0]
            part = min(1.0, max(0.0, (estimate - bounds[0]) / span))
            ends = wilson_interval(
                part, deviation / span, images=1.0 / float(share @ share), freedom=freedom, level=level
            )
            low, high = min(low, bounds[0] + span * ends[0]), max(high, bounds[0] + span * ends[1])
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return Interval(estimate, low, high, noise.freedom > 0)


def bootstrap_median(
    values: np.ndarray,
    owner: np.ndarray | Sequence[int],
    *,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    bounds: tuple[float, float] = (1.0, math.inf),
) -> Interval:
    """Give the median of all answers (mean over seeds) with an interval from resampling images with all their answers.

    Formula: an image drawn m times counts its answers m times; the median of the weighted values is the lower one where
    the middle falls between two. Seeds enter as in `bootstrap_interval`; the noise of single images under single seeds
    is what the seeds' medians vary by, relative to each other, over the resamples.

    Shapes:
        values: (Q,) or (S, Q) float, the value of each answer under each seed, such as a rank
        owner:  (Q,) int >= 0, the image that each answer belongs to
    Units: as `values`; `bounds` cuts the ends; by default those of ranks.
    Raises:
        ShapeError: shapes do not fit.
        InputError: nothing to average, a value that is not finite, a level outside (0, 1).
    """
    table, _ = checked_values(values, None, level)
    _, image = np.unique(np.asarray(owner), return_inverse=True)
    if image.shape != table.shape[1:]:
        raise ShapeError(f"owner of values: expected one image for each of {table.shape[1]} values, got {image.shape}")
    images = int(image.max()) + 1
    medians = np.median(table, axis=1)
    generator = np.random.default_rng(seed)
    found = np.empty((len(table), resamples))
    order = np.argsort(table, axis=1, kind="stable")
    step = max(1, _BLOCK_ENTRIES // table.shape[1])
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = generator.multinomial(images, np.full(images, 1.0 / images), size=rows)
        for row, (answers, ascending) in enumerate(zip(table, order, strict=True)):
            reached = np.cumsum(drawn[:, image[ascending]], axis=1)
            middle = (2 * reached >= reached[:, -1:]).argmax(axis=1)
            found[row, start : start + rows] = answers[ascending][middle]
    estimate = float(medians.mean())
    # summed seed by seed, as in earlier versions: another order would round differently
    deviations = sum((row / len(table) for row in found), np.zeros(resamples)) - estimate
    noise = TrainingNoise.of(median_variance(medians, found), (len(table),))
    low, high = ends_of(estimate + noise.widen(deviations, images, generator, small=False)[0], level)
    return Interval(estimate, max(low, bounds[0]), min(max(high, bounds[0]), bounds[1]), noise.freedom > 0)


def paired_difference(
    a: np.ndarray | Sequence[float],
    b: np.ndarray | Sequence[float],
    *,
    weights: np.ndarray | Sequence[float] | None = None,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Difference:
    """Compare two fusions on the same images: difference, interval, p.

    Formula: images are resampled once for both (paired); seeds are not paired, because one seed draws unrelated weights
    in two architectures. Training noise is pooled: s^2 is the `training` part of `seed_variance` over both fusions,
    with S_a + S_b - 2 degrees of freedom, and gives the difference the variance s^2 (1/S_a + 1/S_b). A fusion with one
    seed thereby borrows the other's noise. p = min(1, 2 (1 + n) / (1 + resamples)), n the replicates on the side of 0
    where fewer lie; where n < 10, too few to count, p is the tail of Student's t beyond difference / deviation of the
    replicates before they are widened, so that p can become small enough for the correction of many tests.

    Shapes:
        a, b:    (I,) or (S_a, I) and (S_b, I) float, what each image adds under each seed
        weights: (I,) float >= 0, equal when None
    Undefined when: there is no image (an error). With no difference on any image and no training noise, p is 1.
    Raises:
        ShapeError: the two have different images.
        InputError: nothing to average, a value that is not finite, a level outside (0, 1).
    Relations: `sign_flip_p` is computed on the differences of the seeds' means.
    """
    first, weight = checked_values(a, weights, level)
    second, _ = checked_values(b, weights, level)
    if first.shape[1] != second.shape[1]:
        raise ShapeError(
            f"paired difference: expected both fusions on the same images, got {first.shape[1]} and {second.shape[1]}"
        )
    share = weight / weight.sum()
    noise = TrainingNoise.of(seed_variance((first, second), share), (len(first), len(second)))
    per_image = first.mean(axis=0) - second.mean(axis=0)
    estimate = float(per_image @ share)
    replicates, deviation, freedom = mean_replicates(per_image, weight, noise, resamples, seed)
    low, high = ends_of(replicates, level)
    fewer = min(int((replicates <= 0).sum()), int((replicates >= 0).sum()))
    p = min(1.0, 2.0 * (1 + fewer) / (1 + resamples))
    if fewer < _FEW:
        # where all images differ alike there is no deviation; the sign flips below are the evidence then
        p = student_tail(estimate / deviation, freedom) if deviation > 0 else p
    flip = sign_flip_p(per_image, weights=weight, draws=resamples, seed=seed)
    return Difference(estimate, low, high, p, flip, noise.freedom > 0)


def paired_test(
    a: np.ndarray,
    b: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    alpha: float = 0.05,
    resamples: int = 10_000,
    seed: int = 0,
) -> dict[str, Any]:
    """Test one pair of fusions on one metric, in the form of results.json, without names and Holm's correction.

    Shapes: as `paired_difference`
    Returns: {"difference", "low", "high", "p", "p_sign_flip", "seeds_counted", "d_z", "photo_sd", "seed_sd",
        "training_sd", "photos", "seeds", "better", "worse"}, with difference = a - b. d_z is {"value", "low", "high"}
        or None (`effects.effect_size`); the last seven are `effects.Spread`, whose `images` files call "photos".
    Raises:
        ShapeError, InputError: as `paired_difference`.
    """
    found = paired_difference(a, b, weights=weights, level=1 - alpha, resamples=resamples, seed=seed)
    spread = spread_of(a, b, weights=weights)
    standard = effect_size(found.difference, found.low, found.high, spread=spread)
    return {
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "p": found.p,
        "p_sign_flip": found.p_sign_flip,
        "seeds_counted": found.seeds_counted,
        "d_z": None if standard is None else dict(zip(("value", "low", "high"), standard, strict=True)),
        **spread.to_json(),
    }


def holm_corrected(rows: Sequence[Mapping[str, Any]], *, alpha: float = 0.05) -> list[dict[str, Any]]:
    """Give rows of tests with "p_holm", corrected over all of them, and "distinguishable": p_holm < alpha."""
    corrected = holm([float(row["p"]) for row in rows])
    return [{**row, "p_holm": p, "distinguishable": p < alpha} for row, p in zip(rows, corrected, strict=True)]
