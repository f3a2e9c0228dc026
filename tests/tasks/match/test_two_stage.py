"""Pairing "rerank": towers are trained first, shared by all fusions of a seed, and stay as they are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from plait.compare.budget import count_parameters
from plait.core.config import Recipe, recipe_from_dict
from plait.core.errors import ConfigError
from plait.core.made import joined
from plait.core.recipe.variants import variant, with_epochs
from plait.data.open import open_collection
from plait.runs.assemble import assemble
from plait.runs.fit import FIRST_STAGE, fit_run
from plait.runs.items import read_items
from plait.runs.open import evaluate_run, load_run
from plait.tasks.match.evaluate import evaluate_split
from plait.tasks.match.metrics import METRIC_OF
from plait.tasks.match.pairings.first_stage import take_towers, towers_recipe
from tests.tasks.match.toys import ToyFeed, toy_learner
from tests.tasks.match.two_stage_toy import toy_towers, toy_two_stage
from tests.tiny import make_tiny
from tests.toys import toy_collection

TOWERS = {"pool": "encoder", "pooled_width": 24, "hidden": 16}


def two_stage(**changes: Any) -> Recipe:
    plain: dict[str, Any] = {
        "text": {"encoder": "words", "min_count": 1, "options": {"width": 16, "pooled": True}},
        "image": {"encoder": "cnn_small", "size_px": 32, "options": {"channels": [8, 16, 16]}},
        "fusion": {
            "name": "cross",
            "pairing": "rerank",
            "width": 16,
            "rerank_k": 3,
            "options": {"layers": 1, "heads": 2},
            "adapter_options": {"pooled_width": 24},
            "towers": TOWERS,
        },
        "train": {"epochs": 2, "batch_size": 4, "precision": "fp32"},
        "first": {"train": {"epochs": 3}},
    }
    for table, keys in changes.items():
        plain[table] = {**plain.get(table, {}), **keys}
    return recipe_from_dict(plain)


def test_the_first_stage_is_late_alone_and_the_same_for_every_fusion() -> None:
    recipe = two_stage()
    first = towers_recipe(recipe)
    assert first is not None
    assert (first.fusion.name, first.fusion.pairing, first.fusion.options) == ("late", "all", TOWERS)
    assert first.train == replace(recipe.train, epochs=3)
    for name, options in (("cross", {"layers": 2}), ("product", {}), ("concat", {})):
        other = replace(recipe, fusion=replace(recipe.fusion, name=name, options=options, width=32, head={}))
        assert towers_recipe(other) == first
    assert towers_recipe(replace(recipe, train=replace(recipe.train, seed=1))) != first
    assert towers_recipe(replace(recipe, fusion=replace(recipe.fusion, pairing="itm"))) is None


def test_an_unknown_key_of_the_first_stage_is_named() -> None:
    with pytest.raises(ConfigError, match=r"first.*'epoch'.*did you mean 'epochs'"):
        towers_recipe(two_stage(first={"train": {"epoch": 3}}))


def test_towers_that_read_tokens_are_refused() -> None:
    recipe = two_stage(
        fusion={"towers": {"pool": "mean"}}, text={"encoder": "minilm", "options": {}}, image={"encoder": "vit_small"}
    )
    with pytest.raises(ConfigError, match="towers that read the encoders' summaries"):
        assemble(replace(recipe, image=replace(recipe.image, options={})))


def test_towers_and_summaries_take_no_gradient_and_everything_else_does() -> None:
    learner, pairing = toy_two_stage(0)
    feed = ToyFeed(toy_collection(), learner)
    learner.train()
    before = {name: p.detach().clone() for name, p in learner.named_parameters()}
    loss = learner.loss(feed.batch(np.arange(0, 24)))
    assert set(loss.parts) == {"match", "mined"}
    loss.total.backward()
    fixed = {name for name, p in learner.named_parameters() if not p.requires_grad}
    assert fixed == {name for name in before if ".sides.pooled." in name or name.startswith(("towers.", "objective."))}
    for name, p in learner.named_parameters():
        assert (p.grad is None) == (name in fixed), name
    assert not pairing.towers.training
    assert not any(m.training for m in learner.model.text.adapter.summary_parts())


def test_weights_of_the_first_stage_are_taken_over_whole() -> None:
    learner, pairing = toy_two_stage(0)
    first = toy_towers(seed=5)
    take_towers(learner, first)
    feed, own = ToyFeed(toy_collection(), learner), ToyFeed(toy_collection(), first)
    rows, images = np.arange(10), np.arange(6)
    learner.eval(), first.eval()
    text, image = feed.encode_texts(rows), feed.encode_images(images)
    torch.testing.assert_close(
        pairing.towers(text, image),
        first.pairing.full(own.encode_texts(rows), own.encode_images(images)).values,
    )
    assert float(pairing.scale) == float(first.pairing.scale)
    with pytest.raises(ConfigError, match="rerank"):
        take_towers(toy_learner("late"), first)


def test_own_towers_and_gain_are_figures_of_one_run() -> None:
    learner, _ = toy_two_stage(0)
    found = evaluate_split(learner, ToyFeed(toy_collection(), learner), split="val", precision="fp32")
    for way in ("t2i", "i2t"):
        gain = found[f"{way}_r1_gain"]
        assert gain.value == pytest.approx(found.metrics[f"{way}_r1"] - found.metrics[f"{way}_r1_towers"])
        np.testing.assert_allclose(gain.items, found[f"{way}_r1"].items - found[f"{way}_r1_towers"].items)
    assert METRIC_OF["t2i_r1_gain"].bounds == (-100.0, 100.0)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, Any]]]:
    """Fit two fusions on one first stage, over a packaged text encoder whose last layer is trained."""
    root = tmp_path_factory.mktemp("two_stage")
    collection = open_collection(make_tiny(root / "data", photos=24))
    recipe = two_stage(
        text={"encoder": "minilm", "options": {}, "trainable": 1},
        image={"encoder": "efficientnet_lite2", "size_px": 64, "options": {"head": False}, "trainable": 1},
    )
    records = {}
    for name in ("cross", "concat"):
        given = replace(recipe, fusion=replace(recipe.fusion, name=name, options={}))
        records[name], _ = fit_run(given, collection, root / name, cache=root / "cache", shared=root)
    return root, records


def test_two_fusions_share_one_first_stage(shared: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    root, records = shared
    (first,) = (place for place in (root / FIRST_STAGE).iterdir() if place.is_dir())
    towers = joined(json.loads((first / "run.json").read_text()))
    for name, record in records.items():
        assert record["first_stage_s"] == towers["train_s"]
        assert record["metrics"]["t2i_r1_towers"] == pytest.approx(towers["metrics"]["t2i_r1"], abs=1e-9), name
        items, _ = read_items(root / name / "by_photo.safetensors", METRIC_OF["t2i_r1_towers"])
        own, _ = read_items(first / "by_photo.safetensors", METRIC_OF["t2i_r1"])
        np.testing.assert_allclose(items, own, atol=1e-6)


def test_a_run_of_two_stages_is_whole_in_its_own_folder(shared: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    root, records = shared
    collection = open_collection(root / "data")
    run = load_run(root / "cross")
    found = evaluate_run(run, collection, split=records["cross"]["data"]["split"], cache=root / "cache2")
    assert found.metrics == pytest.approx(records["cross"]["metrics"], abs=1e-6)


def test_parameters_are_counted_with_those_of_the_first_stage(
    shared: tuple[Path, dict[str, dict[str, Any]]],
) -> None:
    root, records = shared
    recipe = recipe_from_dict(records["cross"]["recipe"])
    together = replace(recipe, fusion=replace(recipe.fusion, pairing="itm"))
    collection = open_collection(root / "data")
    assert count_parameters(recipe, collection) == count_parameters(together, collection) == records["cross"]["params"]


def test_a_variant_may_train_in_its_own_way_and_epochs_are_replaced_everywhere() -> None:
    plain: dict[str, Any] = {
        "train": {"epochs": 8, "lr": 1e-3},
        "first": {"train": {"epochs": 9, "lr": 2e-3}},
        "variants": {"cross": {"train": {"epochs": 12}}, "late": {}},
    }
    recipe = recipe_from_dict(plain)
    assert variant(recipe, "cross").train == replace(recipe.train, epochs=12)
    assert variant(recipe, "late").train == variant(recipe, "scan_t2i").train == recipe.train
    short = with_epochs(recipe, 2)
    assert [variant(short, name).train.epochs for name in ("cross", "late")] == [2, 2]
    assert short.first == {"train": {"epochs": 2, "lr": 2e-3}}
    with pytest.raises(ConfigError, match=r"cross.*'epoch'"):
        variant(recipe_from_dict({"variants": {"cross": {"train": {"epoch": 1}}}}), "cross")
