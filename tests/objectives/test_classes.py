"""Cross-entropy of classes: by hand, with smoothing, in half precision."""

from __future__ import annotations

import math

import pytest
import torch

from plait.core.errors import ConfigError, ShapeError
from plait.core.types import ClassLogits
from plait.objectives.classes import ClassCrossEntropy


def test_values_by_hand() -> None:
    logits = ClassLogits(torch.tensor([[0.0, math.log(3.0)], [0.0, 0.0]]))
    target = torch.tensor([1, 0])
    loss = ClassCrossEntropy()(logits, target)
    expected = (-math.log(0.75) + math.log(2.0)) / 2
    assert loss.total.item() == pytest.approx(expected)
    smooth = ClassCrossEntropy(smoothing=0.2)(logits, target)
    own = 0.9 * -math.log(0.75) + 0.1 * -math.log(0.25)
    assert smooth.total.item() == pytest.approx((own + math.log(2.0)) / 2)
    assert smooth.parts["cross_entropy"].item() == pytest.approx(expected)


def test_gradient_in_float64_and_half_precision() -> None:
    values = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([0, 2, 1, 1])
    assert torch.autograd.gradcheck(lambda v: ClassCrossEntropy(smoothing=0.1)(ClassLogits(v), target).total, values)
    half = ClassCrossEntropy()(ClassLogits(values.detach().bfloat16()), target)
    assert half.total.dtype == torch.float32
    assert half.total.item() == pytest.approx(ClassCrossEntropy()(ClassLogits(values), target).total.item(), rel=0.02)


def test_what_is_refused() -> None:
    logits = ClassLogits(torch.zeros(2, 3))
    with pytest.raises(ConfigError, match="smoothing"):
        ClassCrossEntropy(smoothing=1.0)
    with pytest.raises(ShapeError, match="int64"):
        ClassCrossEntropy()(logits, torch.zeros(2))
    with pytest.raises(ShapeError, match="not in the list"):
        ClassCrossEntropy()(logits, torch.tensor([0, -1]))
