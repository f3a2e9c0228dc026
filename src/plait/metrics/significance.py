"""Tests, quantiles and variances that need no bootstrap: sign flips, Holm, Student's t, Wilson, training noise."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np

from plait.core.errors import InputError, ShapeError
from plait.core.metric import FEW_IMAGES

__all__ = [
    "FEW_IMAGES",
    "SeedVariance",
    "checked_values",
    "holm",
    "minimum_detectable_difference",
    "satterthwaite",
    "seed_variance",
    "sign_flip_p",
    "student_quantile",
    "student_tail",
    "wilson_interval",
]

_BLOCK_ENTRIES = 4_000_000
# 2 ** 14 sign patterns are enumerated; for more images than this, patterns are sampled
_EXACT_IMAGES = 14


def sign_flip_p(
    differences: np.ndarray | Sequence[float],
    *,
    weights: np.ndarray | Sequence[float] | None = None,
    draws: int = 10_000,
    seed: int = 0,
) -> float:
    """Give the two-sided p that the mean difference is 0, by flipping the sign of each image's difference.

    Formula: the share of sign patterns whose |mean| reaches the observed one. All 2^I patterns are enumerated up to 14
    images that differ; beyond, `draws` random ones are taken and the observed pattern is counted with them:
    (1 + reached) / (1 + draws), which keeps the test exact (Phipson and Smyth 2010).

    Shapes:
        differences: (I,) float
        weights:     (I,) float >= 0, equal when None
    Undefined when: no image differs; then p is 1.
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
    if len(terms) <= _EXACT_IMAGES:
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
    image_sd: float,
    training_sd: float,
    images: int,
    seeds: int,
    alpha: float = 0.05,
    power: float = 0.8,
) -> float:
    """Give the smallest true difference between two fusions that a paired comparison finds with chance `power`.

    Formula: (t(1 - alpha/2) + t(power)) sqrt(image_sd^2 / images + 2 training_sd^2 / seeds), t the Student quantiles
    with Satterthwaite's degrees of freedom. Divide alpha by the number of tests to plan for many of them.

    Units: `image_sd` is the standard deviation over images of the difference (seeds averaged), `training_sd` that of
        one fusion's metric over seeds without the images' noise (`seed_variance`), both in the metric's unit; so is
        the result.
    Undefined when: one seed each and training_sd > 0: infinite, training noise cannot be separated from a difference.
    Raises:
        InputError: a negative deviation, fewer than two images or one seed, alpha or power outside (0, 1).
    """
    if image_sd < 0 or training_sd < 0 or images < 2 or seeds < 1 or not 0 < alpha < 1 or not 0 < power < 1:
        raise InputError(
            "detectable difference: expected deviations of at least 0, at least 2 images and 1 seed, alpha and power "
            f"in (0, 1); got image_sd={image_sd}, training_sd={training_sd}, images={images}, seeds={seeds}, "
            f"alpha={alpha}, power={power}"
        )
    if seeds == 1 and training_sd > 0:
        return math.inf
    by_image, by_seed = image_sd**2 / images, 2.0 * training_sd**2 / seeds
    freedom = satterthwaite(by_image, images, by_seed, 2 * (seeds - 1))
    reach = student_quantile(1 - alpha / 2, freedom) + student_quantile(power, freedom)
    return reach * math.sqrt(by_image + by_seed)


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


@lru_cache(maxsize=8)
def _student_grid(freedom: float) -> tuple[np.ndarray, np.ndarray]:
    """Give angles from 0 to pi/2 and the share of the distribution outside of each, both tails together."""
    # angles packed towards pi/2, where small degrees of freedom keep their tails
    angle = math.pi / 2 * (1 - (1 - np.linspace(0, 1, 40_001)) ** 2)
    middle = (angle[1:] + angle[:-1]) / 2
    pieces = np.cos(middle) ** (freedom - 1) * np.diff(angle)
    outside = np.append(np.cumsum(pieces[::-1])[::-1], 0.0)
    return angle, outside / outside[0]


def satterthwaite(
    by_image: float, images: int, by_seed: float, seed_freedom: int, *, mean_square: float | None = None
) -> float:
    """Give the degrees of freedom of a variance that is the sum of an image part and a seed part.

    Formula: (by_image + by_seed)^2 / (by_image^2 / (images - 1) + m^2 / seed_freedom), m the mean square that the seed
    part was estimated from; infinite where both parts are 0. Where noise was subtracted from the mean square, the seed
    part is smaller than m but not better known (Gaylor and Hopper). The result is at least the smaller of the parts'
    degrees of freedom. A seed part of 0 adds nothing; one of unknown freedom (0) is taken as exact.

    Arguments:
        mean_square: m, in the unit of `by_seed`; None = `by_seed` itself
    Source: Satterthwaite 1946; Gaylor and Hopper 1969.
    """
    if by_image == 0 and by_seed == 0:
        return math.inf
    of_images = max(images - 1, 1)
    if by_seed == 0 or seed_freedom == 0:
        rest = by_image**2 / of_images
        return (by_image + by_seed) ** 2 / rest if rest > 0 else math.inf
    known = by_seed if mean_square is None else mean_square
    freedom = (by_image + by_seed) ** 2 / (by_image**2 / of_images + known**2 / seed_freedom)
    return max(freedom, float(min(of_images, seed_freedom)))


@dataclass(frozen=True)
class SeedVariance:
    """How one seed's figure varies over seeds.

    Fields:
        total:    variance of the figure over seeds
        training: the part that training noise explains; the rest is the noise of single images under single seeds
        freedom:  degrees of freedom of `total`; 0 = one seed each, nothing is known
    """

    total: float
    training: float
    freedom: int


def seed_variance(tables: Sequence[np.ndarray], share: np.ndarray) -> SeedVariance:
    """Split the variance over seeds into training noise and the noise of single images under single seeds.

    Formula: with m_s the weighted mean under seed s, total = sum of (m_s - m)^2 / freedom. An answer that changes from
    seed to seed by itself moves m_s too: residuals r_si = v_si - v_i - m_s + m give that part,
    own = sum_i share_i^2 sum_s r_si^2 / (freedom (1 - sum_i share_i^2)), and training = max(0, total - own). All sums
    run over both fusions where two are given.

    Shapes:
        tables: (S, I) float each, what each image adds under each seed
        share:  (I,) float >= 0, weights of the images that sum to 1
    Source: the two-way random-effects analysis of variance, as in Searle, Casella and McCulloch 1992, chapter 4.
    """
    freedom = sum(len(table) - 1 for table in tables)
    if freedom == 0:
        return SeedVariance(0.0, 0.0, 0)
    squares = own = 0.0
    for table in tables:
        centred = table - table.mean(axis=0)
        means = centred @ share
        squares += float((means**2).sum())
        own += float(((centred - means[:, None]) ** 2).sum(axis=0) @ share**2)
    left = 1.0 - float(share @ share)  # 0 where one image counts: its noise cannot be separated from training noise
    own = own / left if left > 1e-12 else 0.0
    return SeedVariance(squares / freedom, max(0.0, (squares - own) / freedom), freedom)


def wilson_interval(
    part: float, deviation: float, *, images: float, freedom: float, level: float = 0.95
) -> tuple[float, float]:
    """Give the interval of a part of a whole that stays within 0 and 1, also near its ends.

    Formula: Wilson's score interval for n questions, ((p + q^2 / 2n) -+ q sqrt(p (1 - p) / n + q^2 / 4n^2)) / (1 +
    q^2 / n), with q Student's quantile and n = p (1 - p) / deviation^2, the number of independent questions that would
    give this deviation. At p = 0 or 1, where no image shows any variation, n = `images`.

    Arguments:
        part:      p, the estimate in [0, 1]
        deviation: its standard error; 0 within (0, 1) gives (p, p)
        images:    how many images of equal weight the sample is worth
        freedom:   degrees of freedom of the standard error
    Source: Wilson 1927; effective sample size as in Korn and Graubard 1998.
    """
    spread = max(0.0, part * (1.0 - part))
    if spread > 0 and deviation == 0:
        return part, part
    n = spread / deviation**2 if spread > 0 else images
    q = student_quantile((1 + level) / 2, freedom)
    middle = (part + q * q / (2 * n)) / (1 + q * q / n)
    reach = q / (1 + q * q / n) * math.sqrt(spread / n + q * q / (4 * n * n))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def checked_values(values: Any, weights: Any, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Give values as (S, I) float64 and weights as (I,) float64, or say what is wrong with them.

    Raises:
        ShapeError: values are not (I,) or (S, I), or weights not (I,).
        InputError: no image, no positive weight, a negative one, a value that is not finite, a level outside (0, 1).
    """
    table = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if table.ndim != 2:
        raise ShapeError(f"values: expected (images,) or (seeds, images), got {table.shape}")
    weight = np.ones(table.shape[1]) if weights is None else np.asarray(weights, dtype=np.float64)
    if weight.shape != table.shape[1:]:
        raise ShapeError(f"weights: expected one for each of {table.shape[1]} images, got {weight.shape}")
    if not 0 < level < 1:
        raise InputError(f"level of an interval: expected a number in (0, 1) such as 0.95, got {level}")
    if table.size == 0 or not (weight >= 0).all() or not weight.sum() > 0:
        raise InputError(
            "values: expected at least one image with a weight above 0 and none below; is the split empty?"
        )
    if not np.isfinite(table).all():
        raise InputError(f"values: {int((~np.isfinite(table)).sum())} of {table.size} are not finite numbers")
    return table, weight
