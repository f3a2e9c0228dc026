"""Recipes: read, checked key by key, and given back as they came."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from plait.core.config import FusionSettings, Recipe, read_recipe, recipe_from_dict, recipe_to_dict
from plait.core.errors import ConfigError
from plait.core.recipe.variants import variant

FULL = """
name = "scan on flickr8k"
task = "match"

[text]
encoder = "minilm"
max_tokens = 32

[image]
encoder = "efficientnet_lite2"
views = ["full", "flip", "crop3"]
options = { stride = 16 }

[fusion]
name = "scan_t2i"
width = 512
options = { temperature = 9.0 }

[objective]
name = "triplet"
options = { margin = 0.2 }

[train]
epochs = 3
lr = 1
"""


def write(tmp_path: Path, text: str, name: str = "mine.toml") -> Path:
    """Write a recipe file."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_every_table(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, FULL))
    assert recipe.name == "scan on flickr8k"
    assert recipe.text.max_tokens == 32
    assert recipe.image.views == ("full", "flip", "crop3")
    assert recipe.image.options == {"stride": 16}
    assert (recipe.fusion.name, recipe.fusion.width) == ("scan_t2i", 512)
    assert recipe.objective.options == {"margin": 0.2}
    assert recipe.train.epochs == 3
    assert recipe.train.lr == 1.0
    assert isinstance(recipe.train.lr, float)


def test_an_empty_file_gives_the_defaults_and_its_own_name(tmp_path: Path) -> None:
    recipe = read_recipe(str(write(tmp_path, "", "plain-one.toml")))
    assert recipe == Recipe(name="plain-one")


def test_goes_to_plain_data_and_back(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, FULL))
    assert recipe_from_dict(recipe_to_dict(recipe)) == recipe
    assert recipe_from_dict(recipe_to_dict(Recipe())) == Recipe()
    assert recipe_from_dict(json.loads(json.dumps(recipe_to_dict(recipe)))) == recipe


def test_every_field_is_documented() -> None:
    for table in fields(Recipe):
        kind = type(getattr(Recipe(), table.name))
        if is_dataclass(kind):
            for field in fields(kind):
                assert f"{field.name}:" in (kind.__doc__ or ""), f"{kind.__name__}.{field.name}"


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"recipe .*absent\.toml: no such file; `plait list recipes` shows"):
        read_recipe(tmp_path / "absent.toml")


def test_not_toml(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"recipe .*mine\.toml: not valid TOML: .*line 1"):
        read_recipe(write(tmp_path, "epochs = = 3"))


def test_not_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"not valid TOML: .*decode"):
        read_recipe(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"trian": {}}, r"unknown key 'trian'; did you mean 'train'\?; known: name, task, text, image"),
        ({"train": {"epoch": 3}}, r"key 'train': unknown key 'epoch'; did you mean 'epochs'\?; known: epochs"),
        ({"train": {"zzz": 3}}, r"unknown key 'zzz'; known: epochs"),
        ({"train": 3}, r"key 'train': expected a table, got 3"),
        ({"train": {"epochs": "3"}}, r"key 'train\.epochs': expected a whole number .*, got '3'; leave out the quotes"),
        ({"train": {"epochs": True}}, r"key 'train\.epochs': expected a whole number .*, got True"),
        ({"train": {"epochs": 1.5}}, r"key 'train\.epochs': expected a whole number .*, got 1\.5"),
        ({"train": {"lr": "fast"}}, r"key 'train\.lr': expected a number above 0.*, got 'fast'"),
        ({"train": {"lr": True}}, r"key 'train\.lr': expected a number above 0.*, got True"),
        ({"train": {"precision": "fp16"}}, r"expected one of 'auto', 'fp32', 'bf16', got 'fp16'"),
        ({"fusion": {"tokens": "many"}}, r"expected one of 'tokens', 'pooled', got 'many'"),
        ({"fusion": {"options": [1]}}, r"key 'fusion\.options': expected a table, got \[1\]"),
        ({"image": {"views": "full"}}, r"key 'image\.views': expected a list of strings, got 'full'"),
        ({"image": {"views": ["full", 1]}}, r"key 'image\.views': expected a list of strings"),
    ],
)
def test_wrong_keys_and_types(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        recipe_from_dict(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"train": {"epochs": 0}}, r"key 'train\.epochs': expected a whole number from 1 to .*, got 0"),
        ({"train": {"seed": -1}}, r"key 'train\.seed': expected a whole number from 0 to 4,294,967,295, got -1"),
        ({"train": {"batch_size": 1}}, r"key 'train\.batch_size': expected a whole number from 2 .*, got 1"),
        ({"train": {"lr": 0.0}}, r"key 'train\.lr'"),
        ({"train": {"lr": float("nan")}}, r"key 'train\.lr'"),
        ({"fusion": {"width": 0}}, r"key 'fusion\.width'"),
        ({"fusion": {"rerank_k": 0}}, r"key 'fusion\.rerank_k'"),
        ({"text": {"max_tokens": 2}}, r"key 'text\.max_tokens': expected a whole number from 3 .*, got 2"),
        ({"train": {"warmup_frac": 1.5}}, r"key 'train\.warmup_frac': expected a number from 0 to 1, got 1\.5"),
        ({"train": {"ema_decay": 1.0}}, r"key 'train\.ema_decay': expected a number at least 0 and below 1, got 1\.0"),
        ({"image": {"views": ["fulll"]}}, r"key 'image\.views': unknown view 'fulll'; did you mean 'full'\?"),
        ({"image": {"views": []}}, r"image\.views needs at least one view"),
        ({"image": {"fit": "stretch"}}, r"image\.fit is squash, crop, pad or ''"),
    ],
)
def test_ranges(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        recipe_from_dict(data, where="recipe x.toml")


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("train", "batch_size", 2),
        ("train", "warmup_frac", 0.0),
        ("train", "warmup_frac", 1.0),
        ("train", "clip_norm", 0.0),
        ("text", "max_tokens", 3),
        ("image", "fit", "pad"),
        ("image", "views", ("crop0", "crop9")),
    ],
)
def test_edges_of_the_ranges_are_allowed(table: str, key: str, value: object) -> None:
    recipe = recipe_from_dict({table: {key: value}})
    assert getattr(getattr(recipe, table), key) == value


def test_the_message_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"recipe .*mine\.toml, key 'fusion': unknown key 'nam'"):
        read_recipe(write(tmp_path, '[fusion]\nnam = "late"\n'))
    with pytest.raises(ConfigError, match=r"recipe .*mine\.toml, key 'train\.epochs'"):
        read_recipe(write(tmp_path, "[train]\nepochs = 0\n"))


def test_an_objective_without_a_name_is_left_to_the_task() -> None:
    assert recipe_from_dict({"task": "mask"}).objective.name == ""
    assert recipe_from_dict({"task": "mask", "objective": {"name": "focal"}}).objective.name == "focal"


def test_a_variant_may_name_its_fusion_and_its_objective() -> None:
    data = {
        "fusion": {"name": "cross", "width": 64, "options": {"layers": 2}},
        "objective": {"name": "infonce", "options": {"scale": 20.0}},
        "variants": {
            "late": {"tokens": "pooled"},
            "shallow": {"name": "cross", "options": {"layers": 1}},
            "hard": {"name": "cross", "objective": {"name": "triplet"}},
        },
    }
    recipe = recipe_from_dict(data)
    assert variant(recipe, "late").fusion == FusionSettings(name="late", tokens="pooled", width=64)
    assert variant(recipe, "shallow").fusion.options == {"layers": 1}
    assert variant(recipe, "shallow").objective.options == {"scale": 20.0}
    hard = variant(recipe, "hard")
    assert (hard.fusion.name, hard.fusion.objective, hard.variants) == ("cross", {}, {})
    assert (hard.objective.name, hard.objective.options) == ("triplet", {})
    assert variant(recipe, "cross").fusion.options == {"layers": 2}
    assert variant(recipe, "scan").fusion == FusionSettings(name="scan", width=64)
    assert recipe_from_dict(recipe_to_dict(recipe)) == recipe
    bad = recipe_from_dict({"variants": {"x": {"name": "cross", "objective": {"nam": "bce"}}}})
    with pytest.raises(ConfigError, match=r"variants\.x, key 'objective': unknown key 'nam'; did you mean 'name'"):
        variant(bad, "x")
