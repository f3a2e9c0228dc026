"""One table of ranges: every number of a recipe is in it; what is no number in its range is refused with a reason."""

from __future__ import annotations

import math
import re
import typing
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest

from plait.core.config import Recipe, recipe_from_dict
from plait.core.errors import ConfigError
from plait.core.recipe.ranges import LARGEST_SEED, RANGES, Range, checked_number
from plait.core.recipe.variants import overridden


def numbers(cls: Any = Recipe, table: str = "") -> dict[str, type]:
    """Find every numeric field of the settings: "table.key" -> int or float."""
    found: dict[str, type] = {}
    hints = typing.get_type_hints(cls)
    for one in fields(cls):
        hint, name = hints[one.name], f"{table}.{one.name}".lstrip(".")
        if is_dataclass(hint):
            found |= numbers(hint, name)
        elif {hint, *typing.get_args(hint)} & {int, float}:
            found[name] = float if float in {hint, *typing.get_args(hint)} else int
    return found


def nested(name: str, value: object) -> dict[str, Any]:
    table, key = name.split(".")
    return {table: {key: value}}


def test_every_number_of_a_recipe_has_a_range_and_no_range_is_left_over() -> None:
    assert set(numbers()) == set(RANGES)
    assert len(RANGES) > 15
    assert all(math.isfinite(allowed.low) for allowed in RANGES.values())


@pytest.mark.parametrize("name", sorted(RANGES))
def test_each_range_holds_its_end_and_refuses_what_is_beyond(name: str) -> None:
    allowed, kind = RANGES[name], numbers()[name]
    beyond = allowed.low if allowed.above else allowed.low - 1
    with pytest.raises(
        ConfigError, match=rf"key '{re.escape(name)}': expected .*, got {re.escape(repr(kind(beyond)))}"
    ):
        recipe_from_dict(nested(name, kind(beyond)))
    if math.isfinite(allowed.high):
        with pytest.raises(ConfigError, match=rf"key '{re.escape(name)}': expected"):
            recipe_from_dict(nested(name, kind(allowed.high + 1)))
    inside = kind(allowed.low + 0.5 if allowed.above else allowed.low)
    table, key = name.split(".")
    assert getattr(getattr(recipe_from_dict(nested(name, inside)), table), key) == inside


@pytest.mark.parametrize("name", sorted(RANGES))
@pytest.mark.parametrize(
    "wrong", [True, "3", None, float("nan"), float("inf"), -float("inf"), [1], pytest.param(10**400, id="huge")]
)
def test_what_is_no_number_is_refused_with_key_and_value(name: str, wrong: object) -> None:
    with pytest.raises(ConfigError, match=rf"key '{re.escape(name)}': expected a .*number .*, got"):
        recipe_from_dict(nested(name, wrong))


def test_variants_are_held_to_the_same_ranges() -> None:
    with pytest.raises(ConfigError, match=r"variants\.wide, key 'fusion\.width': expected .* 16,384, got 1000000000"):
        recipe_from_dict({"variants": {"wide": {"width": 10**9}}})


def test_numbers_of_numpy_are_numbers() -> None:
    recipe = recipe_from_dict({"train": {"epochs": np.int64(3), "lr": np.float32(0.5)}})
    assert (recipe.train.epochs, recipe.train.lr) == (3, 0.5)
    assert type(recipe.train.epochs) is int
    assert type(recipe.train.lr) is float


def test_a_text_that_reads_as_a_number_is_told_about_its_quotes() -> None:
    with pytest.raises(ConfigError, match="got '3'; leave out the quotes"):
        checked_number("3", "seeds", Range(1))
    with pytest.raises(ConfigError, match=r"got 'three'$"):
        checked_number("three", "seeds", Range(1))


@pytest.mark.parametrize(
    ("allowed", "said"),
    [
        (Range(1), "at least 1"),
        (Range(0, above=True), "above 0"),
        (Range(0, 1), "from 0 to 1"),
        (Range(0, 1, below=True), "at least 0 and below 1"),
        (Range(0, 1000, above=True), "above 0 and at most 1,000"),
        (Range(0, why="0 = never"), "at least 0 (0 = never)"),
        (Range(0.5, 2), "from 0.5 to 2"),
    ],
)
def test_a_range_says_itself(allowed: Range, said: str) -> None:
    assert str(allowed) == said


def test_what_is_given_in_place_of_a_recipes_own_is_checked() -> None:
    changed = overridden(Recipe(), fusion="late", epochs=2, seed=LARGEST_SEED, tokens="pooled")
    assert (changed.fusion.name, changed.train.epochs, changed.train.seed) == ("late", 2, LARGEST_SEED)
    assert changed.fusion.tokens == "pooled"
    for options, key in (({"epochs": 0}, "train.epochs"), ({"seed": -1}, "train.seed"), ({"tokens": ""}, "tokens")):
        with pytest.raises(ConfigError, match=key):
            overridden(Recipe(), **options)  # type: ignore[arg-type]


def test_a_variants_own_training_is_held_to_the_ranges() -> None:
    recipe = recipe_from_dict({"variants": {"long": {"name": "late", "train": {"epochs": 0}}}})
    with pytest.raises(ConfigError, match=r"variants\.long, key 'train\.epochs': expected a whole number from 1"):
        overridden(recipe, fusion="long")
