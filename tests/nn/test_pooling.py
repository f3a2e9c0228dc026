"""Pools: hand-worked numbers, padding that does not count, rows with nothing in them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from plait.core.errors import ShapeError
from plait.core.types import Tokens
from plait.nn.pooling import AttentionPool, GeneralisedPool, masked_max, masked_mean, single_token
from tests.nn.close import assert_close

VALUES = torch.tensor([[[1.0, -5.0], [3.0, -7.0], [90.0, 90.0]], [[4.0, 4.0], [4.0, 4.0], [4.0, 4.0]]])
VALID = torch.tensor([[True, True, False], [False, False, False]])


def test_mean_and_maximum_by_hand() -> None:
    assert masked_mean(VALUES, VALID).tolist() == [[2.0, -6.0], [0.0, 0.0]]
    assert masked_max(VALUES, VALID).tolist() == [[3.0, -5.0], [0.0, 0.0]]


@pytest.mark.parametrize("pool", [masked_mean, masked_max, AttentionPool(8, heads=2), GeneralisedPool()])
def test_pools_ignore_padding_and_order_and_stay_finite(pool: nn.Module) -> None:
    values = torch.randn(3, 5, 8, requires_grad=True)
    valid = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 1, 0], [0, 0, 0, 0, 0]]).bool()
    pooled = pool(values, valid)
    assert pooled.shape == (3, 8)
    assert torch.equal(pooled[2], torch.zeros(8))
    changed = values.masked_fill(~valid[..., None], 30.0)
    assert_close(pool(changed, valid), pooled)
    turn = torch.tensor([3, 1, 4, 0, 2])
    assert_close(pool(values[:, turn], valid[:, turn]), pooled)
    assert_close(pool(values[1:2, [0, 1, 3]], valid[1:2, [0, 1, 3]]), pooled[1:2])
    pooled.square().sum().backward()
    assert values.grad is not None
    assert values.grad.isfinite().all()
    assert torch.equal(values.grad == 0, (~valid)[..., None].expand(3, 5, 8)) or pool is masked_max


def test_generalised_pool_with_flat_scores_is_the_mean() -> None:
    pool = GeneralisedPool()
    nn.init.zeros_(pool.score.weight)
    assert_close(pool(VALUES, VALID), masked_mean(VALUES, VALID))


def test_generalised_pool_weights_sum_to_one_over_real_places() -> None:
    weights = GeneralisedPool().weights(torch.tensor([2, 4]), 4)
    assert_close(weights.sum(1), torch.ones(2))
    assert (weights > 0).tolist() == [[True, True, False, False], [True, True, True, True]]


def test_single_token_is_the_mean_and_drops_the_grid() -> None:
    pooled = torch.randn(2, 7)
    token = single_token(Tokens(VALUES, VALID, grid=(1, 3), boxes=torch.zeros(2, 3, 4), pooled=pooled))
    assert token.values.tolist() == [[[2.0, -6.0]], [[0.0, 0.0]]]
    assert token.valid.tolist() == [[True], [False]]
    assert token.grid is None
    assert token.boxes is None
    assert token.pooled is pooled


def test_pools_refuse_what_does_not_fit() -> None:
    with pytest.raises(ShapeError, match="valid should have N = 3 as values has"):
        masked_mean(VALUES, VALID[:, :2])
    with pytest.raises(ShapeError, match="valid should be a bool mask"):
        masked_max(VALUES, VALID.float())
