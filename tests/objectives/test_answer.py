"""Objectives of answers: values worked by hand, gradients in float64, unseen answers, both precisions."""

from __future__ import annotations

import math

import pytest
import torch

from plait.core.errors import ConfigError, ShapeError
from plait.core.tables import load_entry
from plait.core.types import AnswerLogits, AnswerTarget
from plait.objectives import OBJECTIVES
from plait.objectives.answer import AnswerBinary, AnswerCrossEntropy, AnswerObjective

NAMES = [name for name, entry in OBJECTIVES.items() if entry.takes == "AnswerLogits"]
every = pytest.mark.parametrize("name", NAMES)


def make(name: str) -> AnswerObjective:
    made: AnswerObjective = load_entry(OBJECTIVES[name])()
    return made


def target(scores: list[list[float]], common: list[int]) -> AnswerTarget:
    return AnswerTarget(torch.tensor(scores, dtype=torch.float64), torch.tensor(common))


TWO = target([[1.0, 0.0, 0.3], [0.0, 0.0, 0.0]], [0, -1])
LOGITS = torch.tensor([[math.log(2.0), 0.0, 0.0], [0.0, 5.0, 0.0]], dtype=torch.float64)


def test_cross_entropy_worked_by_hand() -> None:
    # softmax of (2, 1, 1) is 1/2 at the first answer; the second question has no known answer
    assert float(AnswerCrossEntropy()(AnswerLogits(LOGITS), TWO).total) == pytest.approx(math.log(2.0))
    smoothed = AnswerCrossEntropy(smoothing=0.3)(AnswerLogits(LOGITS), TWO).total
    assert float(smoothed) == pytest.approx(0.8 * math.log(2.0) + 0.2 * math.log(4.0))


def test_binary_cross_entropy_worked_by_hand() -> None:
    logits = AnswerLogits(torch.zeros(2, 3, dtype=torch.float64))
    assert float(AnswerBinary()(logits, TWO).total) == pytest.approx(3 * math.log(2.0))
    one = AnswerLogits(LOGITS[:1])
    p = 2 / 3
    by_hand = -math.log(p) + math.log(2.0) + math.log(2.0)
    assert float(AnswerBinary()(one, target([[1.0, 0.0, 0.3]], [0])).total) == pytest.approx(by_hand)


@every
def test_gradient_is_right_in_float64(name: str) -> None:
    values = LOGITS.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda v: make(name)(AnswerLogits(v), TWO).total, (values,))


@every
@pytest.mark.parametrize("size", [1e-6, 1e4])
def test_extreme_logits_stay_finite(name: str, size: float) -> None:
    values = (size * LOGITS).float().requires_grad_()
    loss = make(name)(AnswerLogits(values), TWO)
    loss.total.backward()
    assert torch.isfinite(loss.total)
    assert values.grad is not None
    assert torch.isfinite(values.grad).all()
    assert not any(part.requires_grad for part in loss.parts.values())


def test_a_batch_of_unseen_answers_teaches_nothing_and_is_finite() -> None:
    values = LOGITS.clone().requires_grad_()
    loss = AnswerCrossEntropy()(AnswerLogits(values), target([[0.0] * 3] * 2, [-1, -1])).total
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert values.grad is not None
    assert values.grad.abs().max() == 0


@every
def test_half_precision_logits_give_a_float32_loss(name: str) -> None:
    loss = make(name)(AnswerLogits(LOGITS.bfloat16()), TWO).total
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.double(), make(name)(AnswerLogits(LOGITS), TWO).total, atol=0.03, rtol=0.01)


@every
def test_everything_is_made_on_the_device_of_the_logits(name: str) -> None:
    meta = AnswerTarget(TWO.scores.to("meta"), TWO.common.to("meta"))
    assert make(name)(AnswerLogits(LOGITS.to("meta")), meta).total.device.type == "meta"


@every
def test_a_target_of_another_shape_is_refused(name: str) -> None:
    with pytest.raises(ShapeError, match=r"\(B, A\)"):
        make(name)(AnswerLogits(LOGITS[:, :2]), TWO)


def test_smoothing_out_of_range_is_refused() -> None:
    with pytest.raises(ConfigError, match="smoothing"):
        AnswerCrossEntropy(smoothing=1.0)
