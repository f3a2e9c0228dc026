"""How many pairs are found in independent noise, where there is nothing to find."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from plait.core.types import Tokens
from plait.metrics.retrieval import image_to_text, recall_at

__all__ = ["Noise", "binomial_bound", "noise_accuracy", "noise_tokens"]

FALSE_ALARM = 1e-5
WORDS, GRID = 5, (2, 3)


@dataclass(frozen=True)
class Noise:
    """What random weights find in noise.

    Fields:
        accuracy: images whose own text scores highest, in percent, mean over seeds
        chance:   what a random guess finds, in percent
        bound:    what a random guess exceeds once in 100,000 times, in percent
        by_seed:  accuracy of each seed
    """

    accuracy: float
    chance: float
    bound: float
    by_seed: tuple[float, ...]

    @property
    def is_leaky(self) -> bool:
        """Whether more pairs are found than a random guess explains."""
        return self.accuracy > self.bound


@torch.no_grad()
def noise_accuracy(scores: Callable[[int], Tensor], seeds: Sequence[int]) -> Noise:
    """Score independent noise of both modalities and count rows whose own column has the highest score.

    Formula: mean over seeds of recall@1 of the (N, N) score matrix, rows = images; ties by expectation. Nothing about
    image i tells which text is its own, so a leak-free score finds 1 / N. A score that depends on the pair before it is
    compared can find all.

    Arguments:
        scores: seed -> (N, N) scores of N pairs of noise under random weights, both drawn from that seed
    Raises:
        InputError: a score is not a number.
    """
    found = []
    size = 0
    for seed in seeds:
        matrix = scores(seed)
        size = len(matrix)
        found.append(recall_at(image_to_text(matrix, np.arange(size)), 1))
    trials = size * len(found)
    return Noise(float(np.mean(found)), 100.0 / size, 100.0 * binomial_bound(trials, 1 / size) / trials, tuple(found))


def noise_tokens(rows: int, width: int, *, pooled_width: int, seed: int) -> tuple[Tokens, Tokens]:
    """Give independent noise for both sides: text Tokens (rows, 5, D) and image Tokens (rows, 6, D), D = width.

    Words are padded to unequal lengths, regions lie on a grid; both have summaries (rows, pooled_width).
    """
    random = torch.Generator().manual_seed(1_000_003 * (seed + 1))

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random)

    lengths = torch.randint(2, WORDS + 1, (rows, 1), generator=random)
    regions = GRID[0] * GRID[1]
    text = Tokens(normal(rows, WORDS, width), torch.arange(WORDS) < lengths, pooled=normal(rows, pooled_width))
    valid = torch.ones(rows, regions, dtype=torch.bool)
    image = Tokens(normal(rows, regions, width), valid, grid=GRID, pooled=normal(rows, pooled_width))
    return text, image


def binomial_bound(trials: int, chance: float, *, false_alarm: float = FALSE_ALARM) -> int:
    """Give the smallest count that `trials` draws with success `chance` exceed with a chance of at most `false_alarm`.

    Example:
        >>> binomial_bound(3, 0.5, false_alarm=0.2)
        2
    """
    if chance >= 1:
        return trials
    tail = 0.0
    for count in range(trials, -1, -1):
        log_ways = math.lgamma(trials + 1) - math.lgamma(count + 1) - math.lgamma(trials - count + 1)
        tail += math.exp(log_ways + count * math.log(chance) + (trials - count) * math.log1p(-chance))
        if tail > false_alarm:
            return count
    return 0
