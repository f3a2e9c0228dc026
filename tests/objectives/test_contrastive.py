"""InfoNCE against values worked by hand."""

import math

import pytest
import torch

from plait.core.errors import ConfigError, ShapeError
from plait.objectives.contrastive import InfoNCE

TWO = torch.tensor([0, 1])


def test_value_worked_by_hand() -> None:
    # rows: -log(e^2 / (e^2 + e^0)) and -log(e^1 / (e^1 + e^1)); columns: (2, 1) and (0, 1)
    scores = torch.tensor([[2.0, 0.0], [1.0, 1.0]])
    row = (math.log(1 + math.exp(-2)) + math.log(2)) / 2
    column = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(-1))) / 2
    loss = InfoNCE(scale=1.0)(scores, TWO)
    assert loss.parts["i2t"].item() == pytest.approx(row, abs=1e-6)
    assert loss.parts["t2i"].item() == pytest.approx(column, abs=1e-6)
    assert loss.total.item() == pytest.approx((row + column) / 2, abs=1e-6)
    assert not loss.parts["i2t"].requires_grad


def test_equal_scores_cost_the_log_of_the_batch() -> None:
    loss = InfoNCE()(torch.full((8, 8), 0.3), torch.arange(8))
    assert loss.total.item() == pytest.approx(math.log(8), abs=1e-5)


def test_captions_of_one_image_are_ignored() -> None:
    group = torch.tensor([4, 4, 9])
    scores = torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
    loss = InfoNCE(scale=2.0)
    changed = scores.clone()
    changed[0, 1], changed[1, 0] = 50.0, -50.0
    assert loss(scores, group).total.item() == pytest.approx(loss(changed, group).total.item(), abs=1e-6)
    by_hand = -2 * scores[0, 0] + torch.logsumexp(2 * scores[0, [0, 2]], 0)
    rows = [by_hand, -2 * scores[1, 1] + torch.logsumexp(2 * scores[1, 1:], 0)]
    rows.append(-2 * scores[2, 2] + torch.logsumexp(2 * scores[2], 0))
    assert loss(scores, group).parts["i2t"].item() == pytest.approx(sum(rows).item() / 3, abs=1e-5)


def test_one_image_costs_nothing_and_moves_nothing() -> None:
    scores = torch.randn(3, 3, requires_grad=True)
    loss = InfoNCE()(scores, torch.zeros(3, dtype=torch.int64))
    loss.total.backward()
    assert loss.total.item() == 0
    assert scores.grad is not None
    assert scores.grad.abs().max() == 0


def test_scale_is_learned_capped_and_can_come_back() -> None:
    loss = InfoNCE(scale=20.0, max_scale=50.0)
    assert loss.scale.item() == pytest.approx(20, rel=1e-5)
    with torch.no_grad():
        loss.factor.log_scale.fill_(10.0)
    assert loss.scale.item() == pytest.approx(50, rel=1e-5)
    good = torch.eye(2)  # a larger scale would lower this loss: the gradient that pushes up is stopped at the cap
    loss(good, TWO).total.backward()
    assert loss.factor.log_scale.grad.item() == 0
    loss.factor.log_scale.grad = None
    loss(-good, TWO).total.backward()  # a smaller scale would lower this one: let through
    assert loss.factor.log_scale.grad.item() > 1


def test_extreme_scores_stay_finite() -> None:
    scores = (1e4 * torch.randn(4, 4)).requires_grad_()
    loss = InfoNCE(scale=100.0)(scores, torch.arange(4))
    loss.total.backward()
    assert torch.isfinite(loss.total)
    assert torch.isfinite(scores.grad).all()


def test_half_precision_is_summed_in_float32() -> None:
    scores = torch.randn(4, 4, generator=torch.Generator().manual_seed(1)).bfloat16()
    loss = InfoNCE()(scores, torch.arange(4)).total
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(InfoNCE()(scores.float(), torch.arange(4)).total.item(), rel=1e-6)


@pytest.mark.parametrize(("scale", "top"), [(0.0, 100.0), (-1.0, 100.0), (101.0, 100.0)])
def test_scale_out_of_range_is_refused(scale: float, top: float) -> None:
    with pytest.raises(ConfigError, match="expected 0 < scale <= max_scale"):
        InfoNCE(scale=scale, max_scale=top)


def test_shapes_are_checked() -> None:
    with pytest.raises(ShapeError, match=r"expected \(N, N\).*got \(2, 3\)"):
        InfoNCE()(torch.zeros(2, 3), TWO)
    with pytest.raises(ShapeError, match=r"group: expected \(2,\).*got \(3,\)"):
        InfoNCE()(torch.zeros(2, 2), torch.arange(3))
