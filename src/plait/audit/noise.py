"""How many pairs are found in independent noise, where there is nothing to find."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from plait.audit.subject import Subject, score_matrix
from plait.metrics.retrieval import image_to_text, recall_at

__all__ = ["Noise", "binomial_bound", "noise_accuracy"]

FALSE_ALARM = 1e-5


@dataclass(frozen=True)
class Noise:
    """What a fusion with random weights finds in noise.

    Fields:
        accuracy: images whose own text scores highest, in percent, mean over seeds
        chance:   what guessing finds, in percent
        bound:    what luck passes once in 100,000 times, in percent
        by_seed:  accuracy of each seed
    """

    accuracy: float
    chance: float
    bound: float
    by_seed: tuple[float, ...]

    @property
    def is_leaky(self) -> bool:
        """Whether more pairs are found than luck explains."""
        return self.accuracy > self.bound


@torch.no_grad()
def noise_accuracy(subject: Subject, *, batch: int = 24, seeds: Sequence[int] = tuple(range(20))) -> Noise:
    """Score independent noise of both modalities and count rows whose own column wins.

    Formula: mean over seeds of recall@1 of the (batch, batch) score matrix, rows = images; ties by expectation. Nothing
    about image i tells which text is its own, so an honest score finds 1 / batch. A score that has met the pair before
    can find all.

    Raises:
        InputError: a score is not a number.
    """
    found = []
    with torch.random.fork_rng(devices=[]):
        for seed in seeds:
            model = subject.built(seed).model
            scores = score_matrix(model, *subject.noise(model, batch, seed))
            found.append(recall_at(image_to_text(scores, np.arange(batch)), 1))
    trials = batch * len(found)
    return Noise(float(np.mean(found)), 100.0 / batch, 100.0 * binomial_bound(trials, 1 / batch) / trials, tuple(found))


def binomial_bound(trials: int, chance: float, *, false_alarm: float = FALSE_ALARM) -> int:
    """Give the smallest count that `trials` draws with success `chance` pass with a chance of at most `false_alarm`.

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
