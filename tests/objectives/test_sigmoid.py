"""The sigmoid loss against values worked by hand."""

import math

import pytest
import torch

from plait.objectives.sigmoid import Sigmoid


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def test_value_worked_by_hand() -> None:
    scores = torch.tensor([[1.0, 0.0], [0.5, -1.0]])
    loss = Sigmoid(scale=2.0, bias=-1.0)(scores, torch.tensor([0, 1]))
    # logits: 1, -1 / 0, -3
    positive = (softplus(-1) + softplus(3)) / 2
    negative = (softplus(-1) + softplus(0)) / 2
    assert loss.parts["positive"].item() == pytest.approx(positive, abs=1e-6)
    assert loss.parts["negative"].item() == pytest.approx(negative, abs=1e-6)
    assert loss.total.item() == pytest.approx(positive + negative, abs=1e-6)


def test_first_values_are_siglips() -> None:
    loss = Sigmoid()
    assert loss.scale.item() == pytest.approx(10, rel=1e-5)
    assert loss.bias.item() == -10


def test_captions_of_one_image_are_no_negatives() -> None:
    scores = torch.tensor([[0.0, 9.0], [9.0, 0.0]])
    loss = Sigmoid(scale=1.0, bias=0.0)(scores, torch.tensor([5, 5]))
    assert loss.parts["negative"].item() == 0
    assert loss.total.item() == pytest.approx(math.log(2), abs=1e-6)


def test_bias_and_scale_are_learned() -> None:
    loss = Sigmoid()
    loss(torch.randn(4, 4), torch.arange(4)).total.backward()
    assert loss.bias.grad.abs() > 0
    assert loss.factor.log_scale.grad.abs() > 0
