"""Dropout: how much is dropped, that means stay, that gradients follow, and that the seed governs it."""

import pytest
import torch

from plait.core.errors import ConfigError
from plait.nn.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5, 0.9])
def test_the_part_asked_for_is_dropped_and_the_rest_scaled(p: float) -> None:
    torch.manual_seed(0)
    found = Dropout(p)(torch.ones(400, 500))
    q = round(65536 * p) / 65536
    assert (found == 0).float().mean().item() == pytest.approx(q, abs=0.005)
    assert found.mean().item() == pytest.approx(1, abs=0.03)
    torch.testing.assert_close(found[found != 0].unique(), torch.tensor([1 / (1 - p)]))


def test_entries_are_dropped_one_by_one() -> None:
    """Neighbours of one draw do not fall together."""
    torch.manual_seed(0)
    dropped = (Dropout(0.5)(torch.ones(20_000, 8)) == 0).float()
    correlation = torch.corrcoef(dropped.T)
    assert (correlation - torch.eye(8)).abs().max() < 0.04


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_gradient_is_the_mask(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    values = torch.full((3, 5), 2.0, dtype=dtype, requires_grad=True)
    found = Dropout(0.5)(values)
    (gradient,) = torch.autograd.grad(found.sum(), values)
    assert found.dtype == dtype
    torch.testing.assert_close(gradient * 2, found)


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
