"""Noise: the bound by hand, chance for leak-free scores, everything for a leak."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from plait.audit.noise import binomial_bound, noise_accuracy, noise_tokens
from plait.audit.random_state import random_state_kept
from tests.audit.toys import WIDTH, Apart, Sum, Toy


def scores_of(kind: type[Toy], seed: int) -> Tensor:
    torch.manual_seed(seed)
    model = kind()
    return model.matched(*noise_tokens(24, WIDTH, pooled_width=WIDTH, seed=seed))


def test_the_bound_by_hand() -> None:
    # three fair coins: P(3) = 1/8, P(2 or 3) = 1/2
    assert binomial_bound(3, 0.5, false_alarm=0.2) == 2
    assert binomial_bound(3, 0.5, false_alarm=0.12) == 3
    assert binomial_bound(3, 0.5, false_alarm=0.6) == 1
    assert binomial_bound(5, 1.0) == 5
    # P(X > bound) <= 1e-5 < P(X >= bound), by a plain sum
    ways = {0: 1.0}
    for _ in range(240):
        ways = {k: ways.get(k, 0.0) * 23 / 24 + ways.get(k - 1, 0.0) / 24 for k in range(len(ways) + 1)}
    bound = binomial_bound(240, 1 / 24)
    assert sum(p for k, p in ways.items() if k > bound) <= 1e-5 < sum(p for k, p in ways.items() if k >= bound)


def test_an_honest_score_is_at_chance() -> None:
    found = noise_accuracy(lambda seed: scores_of(Apart, seed), range(6))
    assert found.chance == pytest.approx(100 / 24)
    assert not found.is_leaky
    assert len(found.by_seed) == 6
    assert found.bound < 15


def test_a_leak_finds_all() -> None:
    """Both sides of a pair are the same vector, so that fusing first answers everything."""
    found = noise_accuracy(lambda seed: scores_of(Sum, seed), range(2))
    assert found.accuracy == 100.0
    assert found.is_leaky


def test_noise_is_the_same_for_a_seed() -> None:
    text, image = noise_tokens(6, 8, pooled_width=3, seed=1)
    again, _ = noise_tokens(6, 8, pooled_width=3, seed=1)
    other, _ = noise_tokens(6, 8, pooled_width=3, seed=2)
    assert torch.equal(text.values, again.values)
    assert not torch.equal(text.values, other.values)
    assert text.values.shape == (6, 5, 8)
    assert text.valid.sum(1).min() >= 2
    assert image.grid == (2, 3)
    assert image.pooled is not None
    assert image.pooled.shape == (6, 3)


def test_the_random_state_is_kept() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with random_state_kept(torch.device("cpu")):
        torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)
