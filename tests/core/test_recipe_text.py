"""Recipes as text: whatever is printed reads back equal."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.core.config import FusionSettings, Recipe, TrainSettings, read_recipe
from plait.core.errors import ConfigError
from plait.core.recipe.text import named_text, recipe_to_toml
from plait.listing import read_named, recipe_names


def read_back(text: str, folder: Path, name: str = "other") -> Recipe:
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return read_recipe(path)


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_of_the_package_reads_back_equal(name: str, tmp_path: Path) -> None:
    recipe = read_named(name)
    assert read_back(recipe_to_toml(recipe), tmp_path) == recipe


def test_every_setting_is_written_and_awkward_values_survive(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "plain": 'a "quoted" \\ line\nand a tab\t, DEL \x7f, é, 🙂',
        "a key.with dots": [1, 2.5, [True, "x"], {}],
        "deep": {"inner": {"rate": 1e-05, "large": 1e22, "whole": 20.0}},
    }
    fusion = FusionSettings(name="cross", options=options, adapter_options={"dropout": 0.3})
    recipe = replace(
        Recipe(name="my recipe", fusion=fusion, train=TrainSettings(lr=3e-4, seed=2**31)),
        variants={"ladder/v0": replace(fusion, options={}, adapter_options={}), 'odd " label': fusion},
    )
    text = recipe_to_toml(recipe)
    assert read_back(text, tmp_path) == recipe
    assert isinstance(read_back(text, tmp_path).fusion.options["deep"]["inner"]["whole"], float)
    written = tomllib.loads(text)
    assert set(written) == {"name", "task", "text", "image", "fusion", "objective", "train", "variants"}
    assert set(written["train"]) == set(vars(recipe.train)), "a recipe to edit shows every key"


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])),
        st.text(st.characters(exclude_categories=["Cs"])) | st.integers() | st.floats(allow_nan=False) | st.booleans(),
    )
)
def test_any_options_survive(options: dict[str, Any]) -> None:
    text = recipe_to_toml(Recipe(fusion=FusionSettings(options=options)))
    assert tomllib.loads(text)["fusion"]["options"] == options


def test_what_a_file_cannot_hold_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"key 'fusion.options.pool': expected text, a number.*got None"):
        recipe_to_toml(Recipe(fusion=FusionSettings(options={"pool": None})))


def test_a_name_follows_the_comments_and_a_given_one_stays() -> None:
    text = "# what it is\n\n# more\ntask = 'match'\n[fusion]\nname = 'late'\n"
    assert named_text(text, "photos").startswith("# what it is\n\n# more\nname = \"photos\"\ntask = 'match'\n")
    assert named_text("name = 'mine'\n", "photos") == "name = 'mine'\n"
    assert tomllib.loads(named_text("# nothing else\n", "photos")) == {"name": "photos"}
