"""Weights over real tokens."""

from __future__ import annotations

import math

import pytest
import torch

from plait.core.errors import ShapeError
from plait.nn.additive import masked_softmax, weighted_mean


def test_weights_worked_by_hand() -> None:
    scores = torch.tensor([[0.0, math.log(3.0), 50.0], [1.0, 2.0, 3.0]])
    valid = torch.tensor([[True, True, False], [False, False, False]])
    weights = masked_softmax(scores, valid)
    torch.testing.assert_close(weights, torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.0, 0.0]]))
    values = torch.tensor([[[4.0], [8.0], [100.0]], [[1.0], [1.0], [1.0]]])
    torch.testing.assert_close(weighted_mean(weights, values).float(), torch.tensor([[7.0], [0.0]]))


def test_no_real_token_gives_a_finite_gradient() -> None:
    scores = torch.zeros(1, 3, requires_grad=True)
    masked_softmax(scores, torch.zeros(1, 3).bool()).sum().backward()
    assert scores.grad is not None
    assert torch.isfinite(scores.grad).all()


def test_half_precision_is_summed_in_float32() -> None:
    weights = masked_softmax(torch.zeros(1, 4096, dtype=torch.bfloat16), torch.ones(1, 4096).bool())
    assert weights.dtype == torch.bfloat16
    assert float(weights.float().sum()) == pytest.approx(1.0, abs=1e-3)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError):
        masked_softmax(torch.zeros(2, 3), torch.ones(2, 4).bool())
    with pytest.raises(ShapeError):
        masked_softmax(torch.zeros(2, 3), torch.ones(2, 3))
