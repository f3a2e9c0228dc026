"""Matched budgets: the search by hand, what is refused, and that what was measured once is used ever after."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plait.compare import budget
from plait.compare.budget import count_parameters, match_budgets, nearest_width, width_step
from plait.core.config import FusionSettings, Recipe, read_recipe
from plait.core.errors import ConfigError
from plait.data.open import open_collection
from plait.runs.assemble import completed
from tests.doors.tools import give_splits, write_recipe
from tests.tiny import make_tiny


def test_the_nearest_width_by_hand() -> None:
    def square(width: int) -> int:
        return width * width

    assert nearest_width(square, 1000, start=64, step=8) == (32, 1024)
    assert nearest_width(square, 1000, start=8, step=8) == (32, 1024)
    assert nearest_width(square, 1, start=64, step=8) == (8, 64)
    assert nearest_width(square, 790, start=8, step=8) == (24, 576)  # 576 is 214 away, 1,024 is 234
    with pytest.raises(ConfigError, match="a fusion that width cannot grow to this has no fair share here"):
        nearest_width(lambda width: 5, 1000, start=64, step=8)


def test_widths_go_by_heads() -> None:
    def recipe(**settings: Any) -> Recipe:
        return Recipe(fusion=FusionSettings(**settings))

    assert width_step(recipe(name="late")) == 4
    assert width_step(recipe(name="cross")) == 8
    assert width_step(recipe(name="cross", options={"heads": 6})) == 12
    assert width_step(recipe(name="late", adapter="transformer", adapter_options={"heads": 16})) == 16


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Recipe], Any, Path]:
    """Give late and cross as recipes, a tiny collection and a cache."""
    folder = tmp_path_factory.mktemp("budget")
    collection = open_collection(give_splits(make_tiny(folder / "squares", photos=24)))
    base = completed(read_recipe(write_recipe(folder)))
    base = replace(base, fusion=replace(base.fusion, width=64))
    cross = replace(base.variants["cross"], width=64)
    recipes = {"late": replace(base, variants={}), "cross": replace(base, fusion=cross, variants={})}
    return recipes, collection, folder / "cache"


def test_parameters_agree_with_the_reference(setting: Any, tmp_path: Path) -> None:
    recipes, collection, cache = setting
    before = {name: count_parameters(recipe, collection) for name, recipe in recipes.items()}
    assert before["cross"] > 1.1 * before["late"]
    found = match_budgets("params", recipes, collection, out=tmp_path, cache=cache)
    late, cross = found["late"], found["cross"]
    assert late.budget == {"match": "params", "reference": "late", "width": 64, "params": before["late"], "off": 0.0}
    assert cross.recipe.fusion.width < 64
    assert cross.recipe.fusion.width % 4 == 0
    reached = count_parameters(cross.recipe, collection)
    assert reached == cross.budget["params"]
    assert cross.budget["off"] == pytest.approx(reached / before["late"] - 1)
    assert abs(cross.budget["off"]) <= 0.1
    assert cross.flags == (("budget off",) if abs(cross.budget["off"]) > 0.05 else ())
    assert (late.steps, cross.steps) == (None, None)


def test_what_cannot_be_matched_is_refused(setting: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipes, collection, cache = setting
    monkeypatch.setattr(budget, "count_parameters", lambda recipe, _: 1000 if recipe.fusion.name == "late" else 2000)
    with pytest.raises(
        ConfigError, match=r"cross comes no nearer to the 1,000 parameters of late than 2,000 \(\+100 %"
    ):
        match_budgets("params", recipes, collection, out=tmp_path, cache=cache)
    with pytest.raises(ConfigError, match="match 'memory': expected params or time"):
        match_budgets("memory", recipes, collection, out=tmp_path, cache=cache)


def test_time_gives_steps_and_is_measured_once(setting: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipes, collection, cache = setting
    measured: list[str] = []

    def timed(trainer: budget.Trainer, *, count: int, warmup: int) -> float:
        measured.append(type(trainer.learner.model.fusion).__name__)
        return 0.1 if "Late" in measured[-1] else 0.25

    monkeypatch.setattr(budget.Trainer, "time_steps", timed)
    found = match_budgets("time", recipes, collection, out=tmp_path, cache=cache)
    steps = found["late"].steps
    assert steps is not None
    assert found["cross"].steps == round(steps * 0.1 / 0.25)
    assert found["cross"].budget["seconds"] == pytest.approx(steps * 0.1)
    assert found["cross"].budget["timed_step_ms"] == 250
    assert measured == ["LateFusion", "CrossFusion"]
    # another order, another day: nothing is measured again and the reference stays
    again = match_budgets("time", dict(reversed(recipes.items())), collection, out=tmp_path, cache=cache)
    assert again["cross"].steps == found["cross"].steps
    assert again["late"].budget["reference"] == "late"
    assert len(measured) == 2
    assert json.loads((tmp_path / "budget.json").read_text())["fusions"]["cross"]["steps"] == found["cross"].steps


def test_without_matching_nothing_changes(setting: Any, tmp_path: Path) -> None:
    recipes, collection, cache = setting
    found = match_budgets("", recipes, collection, out=tmp_path, cache=cache)
    assert [(share.recipe, share.steps, share.budget) for share in found.values()] == [
        (recipe, None, {}) for recipe in recipes.values()
    ]
    assert not list(tmp_path.iterdir())
