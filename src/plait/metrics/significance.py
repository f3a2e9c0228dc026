"""Tests and quantiles that need no bootstrap: sign flips, Holm's correction, Student's t, detectable difference."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from plait.core.errors import InputError, ShapeError

__all__ = [
    "checked_values",
    "holm",
    "minimum_detectable_difference",
    "satterthwaite",
    "sign_flip_p",
    "student_quantile",
    "student_tail",
]

_BLOCK_ENTRIES = 4_000_000
# 2 ** 14 sign patterns are enumerated; more photos than this are sampled
_EXACT_PHOTOS = 14


def sign_flip_p(
    differences: np.ndarray | Sequence[float],
    *,
    weights: np.ndarray | Sequence[float] | None = None,
    draws: int = 10_000,
    seed: int = 0,
) -> float:
    """Give the two-sided p that the mean difference is 0, by flipping the sign of each photo's difference.

    Formula: the share of sign patterns whose |mean| reaches the observed one. All 2^I patterns are enumerated up to 14
    photos that differ; beyond, `draws` random ones are taken and the observed pattern is counted with them:
    (1 + reached) / (1 + draws), which keeps the test exact (Phipson and Smyth 2010).

    Shapes:
        differences: (I,) float
        weights:     (I,) float >= 0, equal when None
    Undefined when: no photo differs; then p is 1.
    Raises:
        ShapeError, InputError: as `bootstrap_interval`.
    Example:
        >>> sign_flip_p([1.0, 1.0, 1.0])
        0.25
    """
    table, weight = checked_values(differences, weights, 0.95)
    terms = (table.mean(axis=0) * weight)[table.any(axis=0) & (weight > 0)]
    if len(terms) == 0:
        return 1.0
    # sums that are equal in exact arithmetic must not differ by rounding
    observed = abs(terms.sum()) * (1 - 1e-9)
    if len(terms) <= _EXACT_PHOTOS:
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=len(terms))))
        return float((np.abs(signs @ terms) >= observed).mean())
    generator = np.random.default_rng(seed)
    reached, step = 0, max(1, _BLOCK_ENTRIES // len(terms))
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        signs = generator.integers(0, 2, size=(rows, len(terms)), dtype=np.int8) * 2.0 - 1.0
        reached += int((np.abs(signs @ terms) >= observed).sum())
    return (1 + reached) / (1 + draws)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p values of one family of tests so that any false alarm among them stays as rare as one test's.

    Formula: sorted ascending, the j-th of m becomes the maximum so far of (m - j + 1) p_j, at most 1.

    Raises:
        InputError: a p value outside [0, 1].
    Source: Holm 1979.
    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    for p in p_values:
        if not 0.0 <= p <= 1.0:
            raise InputError(f"p value: expected a number in [0, 1], got {p}")
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=lambda n: p_values[n])):
        running = max(running, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = running
    return adjusted


def minimum_detectable_difference(
    *,
    photo_sd: float,
    seed_sd: float,
    photos: int,
    seeds: int,
    alpha: float = 0.05,
    power: float = 0.8,
) -> float:
    """Give the smallest true difference between two fusions that a paired comparison finds with chance `power`.

    Formula: (t(1 - alpha/2) + t(power)) sqrt(photo_sd^2 / photos + 2 seed_sd^2 / seeds), t the Student quantiles with
    Satterthwaite's degrees of freedom. Divide alpha by the number of tests to plan for many of them.

    Units: `photo_sd` is the standard deviation over photos of the difference (seeds averaged), `seed_sd` that of one
        fusion's metric over seeds, both in the metric's unit; so is the result.
    Undefined when: one seed each and seed_sd > 0: infinite, training noise cannot be told from a difference.
    Raises:
        InputError: a negative deviation, fewer than two photos or one seed, alpha or power outside (0, 1).
    """
    if photo_sd < 0 or seed_sd < 0 or photos < 2 or seeds < 1 or not 0 < alpha < 1 or not 0 < power < 1:
        raise InputError(
            "detectable difference: expected deviations of at least 0, at least 2 photos and 1 seed, alpha and power "
            f"in (0, 1); got photo_sd={photo_sd}, seed_sd={seed_sd}, photos={photos}, seeds={seeds}, alpha={alpha}, "
            f"power={power}"
        )
    if seeds == 1 and seed_sd > 0:
        return math.inf
    by_photo, by_seed = photo_sd**2 / photos, 2.0 * seed_sd**2 / seeds
    freedom = satterthwaite(by_photo, photos, by_seed, 2 * (seeds - 1))
    reach = student_quantile(1 - alpha / 2, freedom) + student_quantile(power, freedom)
    return reach * math.sqrt(by_photo + by_seed)


def student_quantile(probability: float, freedom: float) -> float:
    """Give the quantile of Student's t with `freedom` degrees of freedom (> 0); the normal's from 1,000 on.

    Formula: t = sqrt(f) tan(u), where the distribution is 1/2 + c times the integral of cos^(f - 1) from 0 to u;
    integrated on a grid, good to four digits.

    Raises:
        InputError: probability outside (0, 1), or freedom not positive.
    """
    if not 0 < probability < 1 or not freedom > 0:
        raise InputError(f"Student quantile: expected 0 < p < 1 and freedom > 0, got {probability} and {freedom}")
    if freedom >= 1000:
        return NormalDist().inv_cdf(probability)
    angle, outside = _student_grid(freedom)
    upper = float(np.interp(1 - 2 * abs(probability - 0.5), outside[::-1], angle[::-1]))
    return math.copysign(math.sqrt(freedom) * math.tan(upper), probability - 0.5)


def student_tail(value: float, freedom: float) -> float:
    """Give the chance that Student's t with `freedom` degrees of freedom lies at least as far from 0 as `value`.

    Formula and accuracy: as `student_quantile`, whose inverse it is.

    Raises:
        InputError: freedom not positive.
    Example:
        >>> round(student_tail(-4.3027, 2), 4)
        0.05
    """
    if not freedom > 0:
        raise InputError(f"Student tail: expected freedom > 0, got {freedom}")
    if freedom >= 1000:
        return 2 * NormalDist().cdf(-abs(value))
    angle, outside = _student_grid(freedom)
    return float(np.interp(math.atan(abs(value) / math.sqrt(freedom)), angle, outside))


def _student_grid(freedom: float) -> tuple[np.ndarray, np.ndarray]:
    """Give angles from 0 to pi/2 and the share of the distribution outside of each, both tails together."""
    # angles packed towards pi/2, where small degrees of freedom keep their tails
    angle = math.pi / 2 * (1 - (1 - np.linspace(0, 1, 40_001)) ** 2)
    middle = (angle[1:] + angle[:-1]) / 2
    pieces = np.cos(middle) ** (freedom - 1) * np.diff(angle)
    outside = np.append(np.cumsum(pieces[::-1])[::-1], 0.0)
    return angle, outside / outside[0]


def satterthwaite(by_photo: float, photos: int, by_seed: float, seed_freedom: int) -> float:
    """Give the degrees of freedom of a variance that is the sum of a photo part and a seed part.

    Formula: (by_photo + by_seed)^2 / (by_photo^2 / (photos - 1) + by_seed^2 / seed_freedom); infinite where both are 0.
    A seed part of unknown freedom (0) is taken as exact.

    Source: Satterthwaite 1946.
    """
    rest = by_photo**2 / max(photos - 1, 1) + (by_seed**2 / seed_freedom if seed_freedom else 0.0)
    return (by_photo + by_seed) ** 2 / rest if rest > 0 else math.inf


def checked_values(values: Any, weights: Any, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Give values as (S, I) float64 and weights as (I,) float64, or say what is wrong with them.

    Raises:
        ShapeError: values are not (I,) or (S, I), or weights not (I,).
        InputError: no photo, no positive weight, a negative one, a value that is not finite, a level outside (0, 1).
    """
    table = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if table.ndim != 2:
        raise ShapeError(f"values: expected (photos,) or (seeds, photos), got {table.shape}")
    weight = np.ones(table.shape[1]) if weights is None else np.asarray(weights, dtype=np.float64)
    if weight.shape != table.shape[1:]:
        raise ShapeError(f"weights: expected one for each of {table.shape[1]} photos, got {weight.shape}")
    if not 0 < level < 1:
        raise InputError(f"level of an interval: expected a number in (0, 1) such as 0.95, got {level}")
    if table.size == 0 or not (weight >= 0).all() or not weight.sum() > 0:
        raise InputError(
            "values: expected at least one photo with a weight above 0 and none below; is the split empty?"
        )
    if not np.isfinite(table).all():
        raise InputError(f"values: {int((~np.isfinite(table)).sum())} of {table.size} are not finite numbers")
    return table, weight
