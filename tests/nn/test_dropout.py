"""Dropout: how many values stay, how much they grow, and that nothing else happens."""

import math

import pytest
import torch

from plait.core.errors import ConfigError
from plait.nn.dropout import Dropout, drop
from tests.nn.close import assert_close


@pytest.mark.parametrize("part", [0.1, 0.19, 0.5, 0.9])
def test_as_many_stay_as_asked_and_grow_by_as_much(part: float) -> None:
    torch.manual_seed(0)
    count = 200_001
    dropped = drop(torch.full((count,), 2.0), part)
    stayed = dropped[dropped != 0]
    assert abs(len(stayed) / count - (1 - part)) < 4.3 * math.sqrt(part * (1 - part) / count)
    assert_close(stayed, torch.full_like(stayed, 2 / (1 - part)))


def test_neighbours_are_independent() -> None:
    """Four flags come of one number: none may follow from the one before."""
    torch.manual_seed(0)
    kept = (drop(torch.ones(100_000, 4), 0.5) != 0).float()
    correlation = torch.corrcoef(kept.T)
    assert (correlation - torch.eye(4)).abs().max() < 0.02


def test_nothing_to_drop_is_the_same_tensor() -> None:
    values = torch.randn(3)
    assert drop(values, 0.0) is values


def test_the_gradient_flows_through_what_stayed() -> None:
    torch.manual_seed(1)
    values = torch.randn(5, 7, dtype=torch.float64).requires_grad_()
    dropped = drop(values, 0.5)
    (gradient,) = torch.autograd.grad(dropped.sum(), values)
    assert_close(gradient, torch.where(dropped != 0, 2.0, 0.0).double())


def test_a_seed_repeats_it() -> None:
    values = torch.ones(3, 5)
    torch.manual_seed(3)
    first = drop(values, 0.5)
    torch.manual_seed(3)
    assert torch.equal(drop(values, 0.5), first)
    assert not torch.equal(drop(values, 0.5), first)


def test_the_seed_governs_it_and_eval_leaves_it_out() -> None:
    layer, values = Dropout(0.5), torch.ones(7, 9)
    torch.manual_seed(3)
    one = layer(values)
    other = layer(values)
    torch.manual_seed(3)
    assert torch.equal(layer(values), one)
    assert not torch.equal(one, other)
    assert layer.eval()(values) is values
    assert Dropout(0.0).train()(values) is values
    assert layer.train()(torch.ones(0, 4)).shape == (0, 4)


def test_refusals_and_name() -> None:
    for p in (-0.1, 1.0):
        with pytest.raises(ConfigError, match=r"\[0, 1\)"):
            Dropout(p)
    assert repr(Dropout(0.25)) == "Dropout(p=0.25)"
