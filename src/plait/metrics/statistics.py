"""How sure a number is: bootstrap intervals over photos and seeds, paired differences, Holm, detectable difference.

Two things vary when a comparison is repeated: which photos are tested, and how training fell out (the seed). Photos are
resampled; seeds, of which there are three rather than a thousand, enter as a random effect:

    replicate = estimate + (d + e) * sqrt(f / X)

with d the deviation of a mean over resampled photos (seeds averaged first), e a normal draw with the variance of the
mean over seeds, V_seed = s^2 / S, and X chi-squared with f degrees of freedom, so that intervals are as wide as
Student's t asks when s^2 comes from few seeds; f is Satterthwaite's (`significance.satterthwaite`). Resampling three
seeds as photos are resampled would give 2/3 of their variance and know only ten different sets. Noise of a single
photo under a single seed is counted in both parts, which errs on the wide side: taking it out once, as for many seeds
one would, leaves no training noise at all wherever three seeds happen to agree. With one seed nothing is known about
training noise: intervals then speak of these trained models on other photos, and `seeds_counted` is False.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from plait.core.errors import ShapeError
from plait.metrics.effects import effect_size, spread_of
from plait.metrics.significance import checked_values, holm, satterthwaite, sign_flip_p, student_tail

__all__ = [
    "Difference",
    "Interval",
    "bootstrap_interval",
    "bootstrap_median",
    "paired_difference",
    "pairwise_tests",
]

_BLOCK_ENTRIES = 4_000_000
# Draws of this many photos in all are kept between calls: 80 MB, which 10,000 resamples of 1,000 photos take.
_KEPT_ENTRIES = 10_000_000
# Fewer replicates than this beyond 0 are too few to count: the tail of Student's t takes their place.
_FEW = 10


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval, in the unit of the values.

    Fields:
        mean:          the estimate: mean over photos (weighted) and seeds
        low, high:     ends of the interval
        seeds_counted: whether training noise is in it (two seeds or more)
    """

    mean: float
    low: float
    high: float
    seeds_counted: bool


@dataclass(frozen=True)
class Difference:
    """How two fusions differ on the same photos: a minus b, in the unit of the values.

    Fields:
        difference:    the estimate
        low, high:     ends of the interval
        p:             two-sided, from the same replicates as the interval: below 1 - level exactly where it excludes 0
        p_sign_flip:   two-sided permutation p over photos alone; says nothing of training noise
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
    """Give the mean over photos and seeds with a percentile bootstrap interval.

    Formula: see the module. The weighted mean is sum(w v) / sum(w), both sums over the same resampled photos.

    Shapes:
        values:  (I,) or (S, I) float, what each photo adds under each seed (`photo_contributions`)
        weights: (I,) float >= 0, how much each photo counts; equal when None
    Units: as `values`; `bounds` cuts the ends, for example to (0, 100).
    Undefined when: there is no photo, or all weights are 0 (an error). With one photo, or where all photos agree, the
        photo part has width 0: the bootstrap cannot see what never occurred in the sample.
    Raises:
        ShapeError: shapes do not fit.
        InputError: nothing to average, a value that is not finite, a negative weight, a level outside (0, 1).
    Source: Efron and Tibshirani 1993, chapter 13. Differs: seeds as a random effect, above.
    Example:
        >>> bootstrap_interval(np.full(20, 50.0)).low
        50.0
    """
    table, weight = checked_values(values, weights, level)
    per_seed = table @ weight / weight.sum()
    estimate = float(per_seed.mean())
    noise = _Noise.of(per_seed)
    replicates, _, _ = _replicates(table.mean(axis=0), weight, noise, resamples, seed)
    low, high = _ends(replicates, level)
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return Interval(estimate, low, high, noise.freedom > 0)


def bootstrap_median(
    ranks: np.ndarray,
    photo: np.ndarray | Sequence[int],
    *,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Give the median rank (mean over seeds) with an interval from resampling photos with all their captions.

    Formula: a photo drawn m times counts its captions m times; the median of the weighted ranks is the lower one
    where the middle falls between two. Seeds enter as in `bootstrap_interval`. Ends are at least 1.

    Shapes:
        ranks: (C,) or (S, C) float >= 1, rank for each query under each seed
        photo: (C,) int >= 0, the photo each query belongs to
    Raises:
        ShapeError: shapes do not fit.
        InputError: nothing to average, a rank that is not finite, a level outside (0, 1).
    """
    table, _ = checked_values(ranks, None, level)
    _, owner = np.unique(np.asarray(photo), return_inverse=True)
    if owner.shape != table.shape[1:]:
        raise ShapeError(f"photo of ranks: expected one number for each of {table.shape[1]} ranks, got {owner.shape}")
    photos = int(owner.max()) + 1
    medians = np.median(table, axis=1)
    generator = np.random.default_rng(seed)
    deviations = np.zeros(resamples)
    order = np.argsort(table, axis=1, kind="stable")
    step = max(1, _BLOCK_ENTRIES // table.shape[1])
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = generator.multinomial(photos, np.full(photos, 1.0 / photos), size=rows)
        for row, ascending in zip(table, order, strict=True):
            reached = np.cumsum(drawn[:, owner[ascending]], axis=1)
            middle = (2 * reached >= reached[:, -1:]).argmax(axis=1)
            deviations[start : start + rows] += row[ascending][middle] / len(table)
    estimate = float(medians.mean())
    noise = _Noise.of(medians)
    low, high = _ends(estimate + noise.widen(deviations - estimate, photos, generator)[0], level)
    return Interval(estimate, max(low, 1.0), max(high, 1.0), noise.freedom > 0)


def paired_difference(
    a: np.ndarray | Sequence[float],
    b: np.ndarray | Sequence[float],
    *,
    weights: np.ndarray | Sequence[float] | None = None,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Difference:
    """Compare two fusions on the same photos: difference, interval, p.

    Formula: photos are resampled once for both (paired); seeds are not paired, because one seed draws unrelated weights
    in two architectures. Training noise is pooled: s^2 = (SS_a + SS_b) / (S_a + S_b - 2), V_seed = s^2 (1/S_a + 1/S_b).
    A fusion with one seed thereby borrows the other's noise. p = min(1, 2 (1 + n) / (1 + resamples)), n the
    replicates on the side of 0 where fewer lie; where n < 10, too few to count, p is the tail of Student's t beyond
    difference / deviation of the replicates before they are widened, so that p can become small enough for the
    correction of many tests.

    Shapes:
        a, b:    (I,) or (S_a, I) and (S_b, I) float, what each photo adds under each seed
        weights: (I,) float >= 0, equal when None
    Undefined when: there is no photo (an error). With no difference on any photo and no training noise, p is 1.
    Raises:
        ShapeError: the two have different photos.
        InputError: nothing to average, a value that is not finite, a level outside (0, 1).
    Relations: `sign_flip_p` is computed on the differences of the seeds' means.
    """
    first, weight = checked_values(a, weights, level)
    second, _ = checked_values(b, weights, level)
    if first.shape[1] != second.shape[1]:
        raise ShapeError(
            f"paired difference: expected both fusions on the same photos, got {first.shape[1]} and {second.shape[1]}"
        )
    share = weight / weight.sum()
    noise = _Noise.of(first @ share, second @ share)
    per_photo = first.mean(axis=0) - second.mean(axis=0)
    estimate = float(per_photo @ share)
    replicates, deviation, freedom = _replicates(per_photo, weight, noise, resamples, seed)
    low, high = _ends(replicates, level)
    fewer = min(int((replicates <= 0).sum()), int((replicates >= 0).sum()))
    p = min(1.0, 2.0 * (1 + fewer) / (1 + resamples))
    if fewer < _FEW:
        # photos that all differ alike leave no deviation; then the sign flips below are the evidence there is
        p = student_tail(estimate / deviation, freedom) if deviation > 0 else p
    flip = sign_flip_p(per_photo, weights=weight, draws=resamples, seed=seed)
    return Difference(estimate, low, high, p, flip, noise.freedom > 0)


def pairwise_tests(
    values: Mapping[str, Mapping[str, np.ndarray]],
    *,
    weights: Mapping[str, np.ndarray] | None = None,
    alpha: float = 0.05,
    resamples: int = 10_000,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Test every pair of fusions on every metric given, as one Holm family, in the form of results.json.

    Shapes:
        values:  metric -> fusion -> (S, I) float, what each photo adds under each seed
        weights: metric -> (I,) float >= 0; equal for a metric that is not there
    Returns: rows {"a", "b", "metric", "difference", "low", "high", "p", "p_sign_flip", "p_holm", "distinguishable",
        "seeds_counted", "d_z"} and the fields of `effects.Spread`, with difference = a - b; `distinguishable` is
        p_holm < alpha. Intervals are not corrected. d_z is {"value", "low", "high"} or None (`effects.effect_size`).
    Raises:
        ShapeError, InputError: as `paired_difference`.
    """
    rows: list[dict[str, Any]] = []
    for metric, fusions in values.items():
        for a, b in itertools.combinations(fusions, 2):
            weight = None if weights is None else weights.get(metric)
            found = paired_difference(
                fusions[a], fusions[b], weights=weight, level=1 - alpha, resamples=resamples, seed=seed
            )
            spread = spread_of(fusions[a], fusions[b], weights=weight)
            standard = effect_size(found.difference, found.low, found.high, spread=spread)
            rows.append(
                {
                    "a": a,
                    "b": b,
                    "metric": metric,
                    "difference": found.difference,
                    "low": found.low,
                    "high": found.high,
                    "p": found.p,
                    "p_sign_flip": found.p_sign_flip,
                    "seeds_counted": found.seeds_counted,
                    "d_z": None if standard is None else dict(zip(("value", "low", "high"), standard, strict=True)),
                    **asdict(spread),
                }
            )
    for row, adjusted in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = adjusted
        row["distinguishable"] = adjusted < alpha
    return rows


@dataclass(frozen=True)
class _Noise:
    """Variance of the mean over seeds, and the degrees of freedom it rests on (0 = unknown)."""

    variance: float
    freedom: int

    @classmethod
    def of(cls, *groups: np.ndarray) -> _Noise:
        freedom = sum(len(group) - 1 for group in groups)
        if freedom == 0:
            return cls(0.0, 0)
        squares = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
        return cls(squares / freedom * sum(1.0 / len(group) for group in groups), freedom)

    def widen(
        self, deviations: np.ndarray, photos: int, generator: np.random.Generator
    ) -> tuple[np.ndarray, float, float]:
        """Give deviations with training noise, the standard deviation they rest on, and its degrees of freedom."""
        by_photo = float(deviations.var())
        freedom = satterthwaite(by_photo, photos, self.variance, self.freedom)
        deviation = math.sqrt(by_photo + self.variance)
        if self.variance == 0.0:
            return deviations, deviation, freedom
        trained = generator.normal(scale=math.sqrt(self.variance), size=len(deviations))
        scale = np.sqrt(freedom / generator.chisquare(freedom, size=len(deviations)))
        return (deviations + trained) * scale, deviation, freedom


def _replicates(
    values: np.ndarray, weight: np.ndarray, noise: _Noise, resamples: int, seed: int
) -> tuple[np.ndarray, float, float]:
    generator = np.random.default_rng(seed)
    estimate = float(values @ weight / weight.sum())
    # a photo that counts nothing is no part of the sample
    values, weight = values[weight > 0], weight[weight > 0]
    photos = len(values)
    top = values * weight
    if photos * resamples <= _KEPT_ENTRIES:
        counts, state = _draws(photos, resamples, seed)
        means = (counts @ top) / (counts @ weight)
        generator.bit_generator.state = state
    else:
        means = np.empty(resamples)
        for start, drawn in _blocks(generator, photos, resamples):
            means[start : start + len(drawn)] = top[drawn].sum(axis=1) / weight[drawn].sum(axis=1)
    widened, deviation, freedom = noise.widen(means - estimate, photos, generator)
    return estimate + widened, deviation, freedom


def _blocks(generator: np.random.Generator, photos: int, resamples: int) -> Iterator[tuple[int, np.ndarray]]:
    """Draw photos with replacement: (first resample, (resamples of this block, photos) int32) after one another."""
    step = max(1, _BLOCK_ENTRIES // photos)
    for start in range(0, resamples, step):
        yield start, generator.integers(0, photos, size=(min(step, resamples - start), photos), dtype=np.int32)


@lru_cache(maxsize=1)
def _draws(photos: int, resamples: int, seed: int) -> tuple[np.ndarray, Mapping[str, Any]]:
    """Give how often each resample draws each photo, (resamples, photos), and the generator's state after the draws.

    All tests of a comparison ask the same photos with the same seed, so that their draws are the same too: seventeen
    fusions are 136 pairs.
    """
    generator = np.random.default_rng(seed)
    counts = np.empty((resamples, photos))
    for start, drawn in _blocks(generator, photos, resamples):
        places = drawn + photos * np.arange(len(drawn))[:, None]
        counts[start : start + len(drawn)] = np.bincount(places.ravel(), minlength=drawn.size).reshape(drawn.shape)
    counts.flags.writeable = False
    return counts, generator.bit_generator.state


def _ends(replicates: np.ndarray, level: float) -> tuple[float, float]:
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
