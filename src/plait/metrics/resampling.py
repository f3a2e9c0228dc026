"""Replicates of an estimate: images drawn with replacement, training noise added; see `plait.metrics.statistics`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from plait.metrics.significance import FEW_IMAGES, SeedVariance, satterthwaite

__all__ = ["TrainingNoise", "ends_of", "mean_replicates", "median_variance"]

_BLOCK_ENTRIES = 4_000_000
# Draws of this many images in all are kept between calls: 80 MB, which 10,000 resamples of 1,000 images take.
_KEPT_ENTRIES = 10_000_000


@dataclass(frozen=True)
class TrainingNoise:
    """What training noise adds to the variance of an estimate.

    Fields:
        variance:    of the mean over seeds, or of the difference of two; the noise of images is not in it
        mean_square: what it was before that noise was subtracted
        freedom:     degrees of freedom; 0 = unknown
    """

    variance: float
    mean_square: float
    freedom: int

    @classmethod
    def of(cls, found: SeedVariance, seeds: Sequence[int]) -> TrainingNoise:
        """Give the noise of a mean over seeds, or of the difference of two such means."""
        per_mean = sum(1.0 / count for count in seeds)
        return cls(found.training * per_mean, found.total * per_mean, found.freedom)

    def widen(
        self, deviations: np.ndarray, images: int, generator: np.random.Generator, *, small: bool
    ) -> tuple[np.ndarray, float, float]:
        """Give deviations with training noise, the standard deviation they rest on, and its degrees of freedom.

        Arguments:
            deviations: (R,) float, of an estimate over resampled images
            images:     how many were resampled
            small:      the estimate is a mean over few images, and its deviations are widened as Student's t asks
        """
        if small and images > 1:
            deviations = deviations * math.sqrt(images / (images - 1))
        by_image = float(deviations.var())
        freedom = satterthwaite(by_image, images, self.variance, self.freedom, mean_square=self.mean_square)
        deviation = math.sqrt(by_image + self.variance)
        if deviation == 0.0 or (self.variance == 0.0 and not small):
            return deviations, deviation, freedom
        if self.variance > 0.0:
            deviations = deviations + generator.normal(scale=math.sqrt(self.variance), size=len(deviations))
        scale = np.sqrt(freedom / generator.chisquare(freedom, size=len(deviations)))
        return deviations * scale, deviation, freedom


def median_variance(medians: np.ndarray, found: np.ndarray) -> SeedVariance:
    """Split the variance of medians over seeds, (S,), by what resamples (S, resamples) say of the images' noise."""
    freedom = len(medians) - 1
    if freedom == 0:
        return SeedVariance(0.0, 0.0, 0)
    total = float(medians.var(ddof=1))
    apart = found - found.mean(axis=1, keepdims=True)
    own = float((apart - apart.mean(axis=0)).var(axis=1).sum()) / freedom
    return SeedVariance(total, max(0.0, total - own), freedom)


def mean_replicates(
    values: np.ndarray, weight: np.ndarray, noise: TrainingNoise, resamples: int, seed: int
) -> tuple[np.ndarray, float, float]:
    """Give replicates of a weighted mean over images, their standard deviation and its degrees of freedom.

    The standard deviation is that of the deviations before Student's t widens them.

    Shapes:
        values: (I,) float, what each image adds (seeds averaged)
        weight: (I,) float >= 0
        returns: (resamples,) float, and two numbers
    """
    generator = np.random.default_rng(seed)
    estimate = float(values @ weight / weight.sum())
    # an image that counts nothing is no part of the sample
    values, weight = values[weight > 0], weight[weight > 0]
    images = len(values)
    top = values * weight
    if images * resamples <= _KEPT_ENTRIES:
        counts, state = _draws(images, resamples, seed)
        means = (counts @ top) / (counts @ weight)
        generator.bit_generator.state = state
    else:
        means = np.empty(resamples)
        for start, drawn in _blocks(generator, images, resamples):
            means[start : start + len(drawn)] = top[drawn].sum(axis=1) / weight[drawn].sum(axis=1)
    widened, deviation, freedom = noise.widen(means - estimate, images, generator, small=images < FEW_IMAGES)
    return estimate + widened, deviation, freedom


def _blocks(generator: np.random.Generator, images: int, resamples: int) -> Iterator[tuple[int, np.ndarray]]:
    """Draw images with replacement: (first resample, (resamples of this block, images) int32) after one another."""
    step = max(1, _BLOCK_ENTRIES // images)
    for start in range(0, resamples, step):
        yield start, generator.integers(0, images, size=(min(step, resamples - start), images), dtype=np.int32)


@lru_cache(maxsize=1)
def _draws(images: int, resamples: int, seed: int) -> tuple[np.ndarray, Mapping[str, Any]]:
    """Give how often each resample draws each image, (resamples, images), and the generator's state after the draws.

    All tests of a comparison draw the same images with the same seed, so that their draws are the same too: seventeen
    fusions are 136 pairs.
    """
    generator = np.random.default_rng(seed)
    counts = np.empty((resamples, images))
    for start, drawn in _blocks(generator, images, resamples):
        places = drawn + images * np.arange(len(drawn))[:, None]
        counts[start : start + len(drawn)] = np.bincount(places.ravel(), minlength=drawn.size).reshape(drawn.shape)
    counts.flags.writeable = False
    return counts, generator.bit_generator.state


def ends_of(replicates: np.ndarray, level: float) -> tuple[float, float]:
    """Give the ends of the middle part `level` of replicates (R,)."""
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
