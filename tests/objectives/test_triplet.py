"""The triplet loss against values worked by hand; its warm-up resumes."""

import pytest
import torch

from plait.core.errors import ConfigError
from plait.objectives.triplet import Triplet

SCORES = torch.tensor([[0.5, 0.4, 0.6], [0.1, 0.9, 0.0], [0.2, 0.8, 0.7]])
GROUP = torch.arange(3)


def test_sum_and_maximum_worked_by_hand() -> None:
    # margin 0.2; rows: (0.1, 0.3), (0, 0), (0, 0.3); columns: (0, 0), (0, 0.1), (0.1, 0)
    total = Triplet(max_violation=False)(SCORES, GROUP)
    assert total.parts["i2t"].item() == pytest.approx(0.7 / 3, abs=1e-6)
    assert total.parts["t2i"].item() == pytest.approx(0.2 / 3, abs=1e-6)
    hardest = Triplet(warmup_steps=0)(SCORES, GROUP)
    assert hardest.parts["i2t"].item() == pytest.approx(0.6 / 3, abs=1e-6)
    assert hardest.total.item() == pytest.approx(0.8 / 3, abs=1e-6)


def test_captions_of_one_image_are_no_negatives() -> None:
    loss = Triplet(warmup_steps=0)(SCORES, torch.tensor([0, 1, 0]))
    # left: rows 0.1 / 0, 0 / 0.3; columns (0), (0, 0.1), (0)
    assert loss.total.item() == pytest.approx((0.1 + 0.3 + 0.1) / 3, abs=1e-6)


def test_a_collapsed_model_shows_twice_the_margin() -> None:
    assert Triplet(warmup_steps=0)(torch.full((5, 5), 0.9), torch.arange(5)).total.item() == pytest.approx(0.4)


def test_warm_up_counts_train_calls_only_and_resumes() -> None:
    loss = Triplet(warmup_steps=2)
    warm = Triplet(max_violation=False)(SCORES, GROUP).total.item()
    hard = Triplet(warmup_steps=0)(SCORES, GROUP).total.item()
    loss.eval()
    for _ in range(3):
        assert loss(SCORES, GROUP).total.item() == pytest.approx(warm)
    loss.train()
    assert loss(SCORES, GROUP).total.item() == pytest.approx(warm)
    resumed = Triplet(warmup_steps=2)
    resumed.load_state_dict(loss.state_dict())
    assert resumed.is_warming_up
    assert resumed(SCORES, GROUP).total.item() == pytest.approx(warm)
    assert resumed(SCORES, GROUP).total.item() == pytest.approx(hard)
    assert not resumed.is_warming_up


def test_well_separated_scores_cost_nothing() -> None:
    scores = torch.eye(4).requires_grad_()
    loss = Triplet(warmup_steps=0)(scores, torch.arange(4))
    loss.total.backward()
    assert loss.total.item() == 0
    assert scores.grad.abs().max() == 0


def test_options_are_checked() -> None:
    with pytest.raises(ConfigError, match="margin: expected a value above 0, got 0"):
        Triplet(margin=0.0)
    with pytest.raises(ConfigError, match="warmup_steps: expected 0 or more, got -1"):
        Triplet(warmup_steps=-1)
