"""From a recipe to a learner of masks: heads, objectives, the order of drawing weights, refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from plait.core.config import FusionSettings, ObjectiveSettings, Recipe
from plait.core.errors import ConfigError
from plait.fusion import FUSIONS
from plait.heads.mask import SpatialDecoder, VectorDecoder
from plait.heads.presence import PresenceHead
from plait.tasks.mask import TASK
from plait.tasks.mask.learner import MaskLearner
from plait.tasks.mask.work import WORK
from tests.tasks.mask.toys import WIDTH, toy_sides

MASK_FUSIONS = [name for name, entry in FUSIONS.items() if TASK.serves("fusion", entry)]


def recipe(name: str = "film", objective: str = "", **settings: Any) -> Recipe:
    """Give a recipe of masks with one fusion."""
    return Recipe(
        task="mask",
        fusion=FusionSettings(name=name, width=WIDTH, **settings),
        objective=ObjectiveSettings(name=objective),
    )


def learner_of(settings: Recipe) -> MaskLearner:
    """Assemble a recipe over the toys' sides."""
    torch.manual_seed(0)
    return WORK.assemble(settings, *toy_sides())


@pytest.mark.parametrize("name", MASK_FUSIONS)
def test_every_fusion_for_masks_gets_a_head_that_reads_it(name: str) -> None:
    use = WORK.use(recipe(name))
    assert use.columns == {"tokens": "tokens", "pairing": "own", "rerank_k": None}
    assert use.flags == ()
    head = learner_of(recipe(name)).model.head
    assert isinstance(head, VectorDecoder if FUSIONS[name].gives == "vector" else SpatialDecoder)


def test_pooled_tokens_need_the_vector_head() -> None:
    learner = learner_of(recipe(tokens="pooled"))
    assert isinstance(learner.model.head, VectorDecoder)
    assert learner.model.pool is not None
    assert WORK.use(recipe(tokens="pooled")).columns["tokens"] == "pooled"
    assert learner_of(recipe()).model.pool is None


def test_the_recipe_can_name_the_head_and_its_options() -> None:
    named = learner_of(recipe(head={"name": "vector", "channels": 8, "side": 14}))
    assert isinstance(named.model.head, VectorDecoder)
    spatial = learner_of(recipe(head={"channels": 16})).model.head
    assert isinstance(spatial, SpatialDecoder)
    assert spatial.skips == (3,)


def test_the_objective_is_the_tasks_own_unless_named() -> None:
    assert learner_of(recipe()).objective.overlap == "dice"
    assert learner_of(recipe(objective="bce")).objective.overlap == "none"


def test_a_presence_head_comes_with_absent_phrases() -> None:
    options = {"absent": 0.25}
    with_absent = learner_of(replace(recipe(), objective=ObjectiveSettings("bce_dice", options=options)))
    assert isinstance(with_absent.presence, PresenceHead)
    assert with_absent.objective.absent == 0.25
    without = learner_of(recipe())
    assert without.presence is None
    first, second = with_absent.model.state_dict(), without.model.state_dict()
    assert all(torch.equal(first[key], second[key]) for key in second)  # the masks start from the same weights
    with pytest.raises(ConfigError, match="absent in"):
        learner_of(replace(recipe(), objective=ObjectiveSettings(options={"absent": 2.0})))
    with pytest.raises(ConfigError, match="no option 'absnet'"):
        learner_of(replace(recipe(), objective=ObjectiveSettings(options={"absnet": 0.2})))


def test_weights_are_drawn_fusion_first() -> None:
    torch.manual_seed(0)
    toy_sides()
    torch.manual_seed(1)
    first = WORK.assemble(recipe(), *toy_sides()).model.fusion.state_dict()
    torch.manual_seed(1)
    second = WORK.assemble(recipe(head={"channels": 16}), *toy_sides()).model.fusion.state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (recipe("late"), "fusion 'late' does not serve.*pixel_word"),
        (recipe("pixel_wrod"), "did you mean 'pixel_word'"),
        (recipe(pairing="itm"), r"leave fusion\.pairing out"),
        (recipe(objective="infonce"), "objective 'infonce' does not serve.*focal"),
        (recipe(objective="bec"), "objective 'bec'"),
        (recipe(head={"name": "logit"}), "head 'logit' does not serve.*spatial"),
        (recipe(head={"name": 3}), "unknown head '3'"),
        (recipe(tokens="pooled", head={"name": "spatial"}), "'spatial' needs a grid"),
        (recipe("self_cross_printed", head={"name": "spatial"}), "'spatial' needs a grid"),
    ],
)
def test_what_does_not_serve_is_refused_before_anything_is_loaded(settings: Recipe, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        WORK.use(settings)
    with pytest.raises(ConfigError, match=words):
        learner_of(settings)


def test_unknown_options_are_refused() -> None:
    with pytest.raises(ConfigError, match="head 'spatial' has no option 'chanels'"):
        learner_of(recipe(head={"chanels": 16}))
    assert WORK.use(replace(recipe(), objective=ObjectiveSettings("bce"))).columns["pairing"] == "own"
