"""Weights of earlier versions: each old name has one new one, which a fusion or head of today has."""

from __future__ import annotations

import re

import pytest

from plait.core.tables import load_entry
from plait.fusion import FUSIONS
from plait.fusion.base.renamed_weights import RENAMED, renamed_weight
from plait.heads.mask import SpatialDecoder
from plait.heads.match import LogitHead
from plait.nn.blocks import SelfBlock

# (fusion, options, an old name, its new name)
FUSED = [
    ("cross", {}, "entrance.gain", "input_norm.gain"),
    ("cross", {}, "entrance.text_norm.weight", "input_norm.text_norm.weight"),
    ("cross", {"self_attention": True}, "t2i.1.own.attention.query.bias", "t2i.1.self_attention.attention.query.bias"),
    ("cross", {"self_attention": True}, "i2t.0.own.feed.widen.bias", "i2t.0.self_attention.feed_forward.widen.bias"),
    ("cross", {}, "t2i.0.cross.feed_norm.weight", "t2i.0.cross.feed_forward_norm.weight"),
    ("concat", {}, "entrance.sides", "input_norm.sides"),
    ("concat", {}, "blocks.1.feed.narrow.weight", "blocks.1.feed_forward.narrow.weight"),
    ("film", {}, "blocks.0.feed.widen.weight", "blocks.0.feed_forward.widen.weight"),
    ("pixel_word", {}, "own.0.attention.out.weight", "self_attention.0.attention.out.weight"),
    ("pixel_word", {}, "layers.0.see.0.weight", "layers.0.cell_project.0.weight"),
    ("pixel_word", {}, "layers.0.mix.bias", "layers.0.joint_project.bias"),
    ("pixel_word", {}, "layers.0.feed_norm.bias", "layers.0.feed_forward_norm.bias"),
    ("self_cross", {}, "text_own.norm.weight", "text_self_attention.norm.weight"),
    ("self_cross", {}, "spread.weight", "factor.weight"),
    ("self_cross_printed", {}, "image_own.query.weight", "image_self_attention.query.weight"),
    (
        "grid_product",
        {"self_attention": True},
        "image_own.feed.widen.bias",
        "image_self_attention.feed_forward.widen.bias",
    ),
    ("correlation", {}, "read", "weight"),
    ("image_only", {}, "enter.weight", "input_norm.weight"),
    ("ladder/v9", {}, "feed.widen.weight", "feed_forward.widen.weight"),
    ("ladder/v11", {}, "feed_norm.weight", "feed_forward_norm.weight"),
]


@pytest.mark.parametrize(("name", "options", "old", "new"), FUSED, ids=[f"{case[0]}-{case[2]}" for case in FUSED])
def test_an_old_name_of_a_fusion_is_found(name: str, options: dict[str, bool], old: str, new: str) -> None:
    assert renamed_weight(f"model.fusion.{old}") == f"model.fusion.{new}"
    entry = FUSIONS[name]
    assert new in load_entry(entry)(16, **{**(entry.options or {}), **options}).state_dict()


def test_old_names_of_a_head_and_of_encoders_are_found() -> None:
    assert renamed_weight("model.head.enter.1.weight") == "model.head.project.1.weight"
    assert renamed_weight("model.head.merges.0.enter.0.bias") == "model.head.merges.0.project.0.bias"
    assert {"project.1.weight", "merges.0.project.0.bias"} <= set(SpatialDecoder(16, skips=(4,)).state_dict())
    assert renamed_weight("model.head.text_pool.query") == "model.head.vectors.text_pool.query"
    assert "vectors.text_pool.query" in LogitHead(16, pool="attention").state_dict()
    old = "model.text.trained.blocks.1.feed.widen.weight"
    assert renamed_weight(old) == "model.text.trained.blocks.1.feed_forward.widen.weight"
    assert "feed_forward.widen.weight" in SelfBlock(8).state_dict()


def test_every_name_of_today_stays_as_it_is() -> None:
    for entry in FUSIONS.values():
        made = load_entry(entry)(16, **(entry.options or {}))
        for key in made.state_dict():
            assert renamed_weight(f"model.fusion.{key}") == f"model.fusion.{key}"
    assert renamed_weight("objective.factor.log_scale") == "objective.factor.log_scale"


def test_every_pattern_is_used_by_a_case_above() -> None:
    names = [f"model.fusion.{case[2]}" for case in FUSED] + [
        "model.head.enter.1.weight",
        "model.head.text_pool.query",
        "model.towers.x",
    ]
    for number in range(len(RENAMED)):
        rest = RENAMED[:number] + RENAMED[number + 1 :]
        assert any(renamed_weight(name) != _renamed_by(rest, name) for name in names), RENAMED[number]


def _renamed_by(patterns: tuple[tuple[str, str], ...], name: str) -> str:
    for pattern, replacement in patterns:
        name = re.sub(pattern, replacement, name)
    return name
