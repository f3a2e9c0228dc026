"""The schedule, the groups and the moving average, against numbers worked by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from plait.core.config import TrainSettings
from plait.core.types import Batch, Loss
from plait.model import Learner
from plait.train.optimiser import MovingAverage, make_optimiser, rate_at, set_rates


def test_the_rate_rises_then_falls_to_zero() -> None:
    rates = [rate_at(step, 100, 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == pytest.approx(1.0)
    assert rates[10] == pytest.approx(1.0)
    assert rates[55] == pytest.approx(0.5)
    assert 0 < rates[-1] < 0.001
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_a_single_step_is_a_full_step() -> None:
    assert rate_at(0, 1, 0.0) == 1.0


class Toy(Learner):
    """A learner with a trained encoder part, an adapter, a frozen parameter, and towers that it registers last."""

    def __init__(self) -> None:
        model = nn.Module()
        model.image = nn.ModuleDict({"trained": nn.Linear(2, 2), "adapter": nn.Linear(2, 2)})
        model.fixed = nn.Parameter(torch.zeros(2), requires_grad=False)
        super().__init__(model, nn.Linear(1, 1))
        self.towers = nn.Linear(3, 3)

    def loss(self, batch: Batch) -> Loss:
        return Loss(torch.zeros(()))


def test_groups_tell_encoders_and_matrices_apart() -> None:
    settings = TrainSettings(lr=1e-3, encoder_lr=1e-5, weight_decay=0.1)
    optimiser = make_optimiser(Toy(), settings)
    found = {(g["peak"], g["weight_decay"]): len(g["params"]) for g in optimiser.param_groups}
    assert found == {(1e-5, 0.1): 1, (1e-5, 0.0): 1, (1e-3, 0.1): 3, (1e-3, 0.0): 3}
    set_rates(optimiser, 0.5)
    assert sorted({g["lr"] for g in optimiser.param_groups}) == [5e-6, 5e-4]


def test_the_objectives_parameters_come_last_whatever_is_registered_after_it() -> None:
    learner = Toy()
    groups = make_optimiser(learner, TrainSettings(encoder_lr=0.0)).param_groups
    matrices = next(group for group in groups if group["params"][0].ndim == 2)
    order = [learner.model.image["adapter"].weight, learner.towers.weight, learner.objective.weight]
    assert [id(p) for p in matrices["params"][-3:]] == [id(p) for p in order]


def test_the_average_follows_by_the_formula_and_swaps_back() -> None:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 0.0)
    average = MovingAverage(layer.named_parameters(), 0.9)
    nn.init.constant_(layer.weight, 1.0)
    average.update(step=0)  # d = min(0.9, 1/10): 0.1 * 0 + 0.9 * 1
    assert average.state()["weight"].item() == pytest.approx(0.9)
    average.update(step=1000)  # d = 0.9: 0.9 * 0.9 + 0.1 * 1
    assert average.state()["weight"].item() == pytest.approx(0.91)
    average.swap()
    assert layer.weight.item() == pytest.approx(0.91)
    average.swap()
    assert layer.weight.item() == 1.0
