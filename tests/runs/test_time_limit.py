"""As much training as fits: how many steps, decided once, the same for all, with a schedule that ends."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from plait.core.config import Recipe, TrainSettings
from plait.core.errors import ConfigError
from plait.runs import time_limit
from plait.runs.time_limit import Cost, Limit, check_minutes, decide, known_limit, steps_within
from tests.toys import toy_collection

# 100 steps in 10 epochs: an epoch takes 10 s of steps and 2 s of checks, all else 20 s
COST = Cost(steps_per_epoch=10, steps=100, step_s=1.0, check_s=2.0, ends_s=20.0)


@pytest.mark.parametrize(
    ("seconds", "steps"),
    [(1000, 100), (140, 100), (139.9, 90), (56, 30), (32, 10), (31.9, 0), (0, 0)],
)
def test_whole_epochs_that_fit(seconds: float, steps: int) -> None:
    assert steps_within([(COST, 1)], seconds) == steps


def test_a_part_of_an_epoch_where_not_even_one_fits() -> None:
    long = Cost(steps_per_epoch=100, steps=300, step_s=1.0, check_s=0.0, ends_s=20.0)
    assert steps_within([(long, 1)], 120) == 100
    assert steps_within([(long, 1)], 70) == 50
    assert steps_within([(long, 1)], 30) == 10
    assert steps_within([(long, 1)], 29) == 0


def test_every_run_has_the_same_number_of_steps_and_all_of_them_fit() -> None:
    slow = Cost(steps_per_epoch=10, steps=100, step_s=3.0, check_s=2.0, ends_s=20.0)
    costs = [(COST, 3), (slow, 3)]
    steps = steps_within(costs, 600)
    assert steps == 30
    assert sum(runs * cost.seconds(steps) for cost, runs in costs) <= 600
    assert sum(runs * cost.seconds(steps + 10) for cost, runs in costs) > 600
    assert steps_within(costs, 300, jobs=2) == steps


def test_a_limit_ends_with_its_last_step_and_says_what_it_is() -> None:
    recipe = Recipe(train=TrainSettings(epochs=8))
    cut = Limit(20.0, 30, 3.0, 8.0)
    assert (cut.apply(recipe).train.epochs, cut.apply(recipe).train.steps) == (3, 0)
    assert cut.sentence == "3 of 8 epochs were trained: what was estimated to fit into 20 minutes."
    part = Limit(1.0, 7, 0.7, 8.0)
    assert (part.apply(recipe).train.epochs, part.apply(recipe).train.steps) == (8, 7)
    whole = Limit(20.0, 80, 8.0, 8.0)
    assert whole.apply(recipe) == recipe
    assert not whole.is_cut


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), float("inf"), True, "5"])
def test_a_time_is_a_number_above_0(minutes: Any) -> None:
    with pytest.raises(ConfigError, match="minutes: expected a number above 0"):
        check_minutes(minutes)
    check_minutes(0.5, "params")
    with pytest.raises(ConfigError, match="use one of them"):
        check_minutes(5, "time")


def test_what_was_decided_is_kept_and_the_time_that_is_gone_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_limit, "measure", lambda *_, **__: COST)
    recipes, now = {"late": (Recipe(), 1)}, time.monotonic()

    def decided(folder: str, gone: float, minutes: float = 3.0) -> Limit:
        where = {"minutes": minutes, "began": now - gone, "cache": tmp_path}
        return decide(recipes, toy_collection(), tmp_path / folder, **where)  # type: ignore[arg-type]

    assert decided("early", 0).steps == 100
    late = decided("late", 100)  # 92 % of 80 s are left: 53 s for steps and checks
    assert (late.steps, late.epochs, late.of_epochs) == (40, 4.0, 10.0)
    assert known_limit(tmp_path / "late", 3.0) == late
    assert known_limit(tmp_path / "late", 4.0) is None
    assert known_limit(tmp_path / "nowhere", 3.0) is None
    with pytest.raises(ConfigError, match=r"one epoch of 1 run\(s\) needs about 3"):
        decided("none", 150)
    assert not (tmp_path / "none").exists()
