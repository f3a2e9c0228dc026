"""The task's object: how a recipe is used, what is refused, the parts and their order, targets, and what learned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from plait.build import bare_sides
from plait.core.config import Recipe, recipe_from_dict
from plait.core.errors import ConfigError, InputError, UnknownNameError
from plait.data.collection import Collection
from plait.fusion import FUSIONS
from plait.objectives.contrastive import InfoNCE
from plait.objectives.match import Matching
from plait.task import Work
from plait.tasks.match import TASK
from plait.tasks.match.learner import MatchLearner, assemble
from plait.tasks.match.pairings import PAIRINGS, find_pairing
from plait.tasks.match.pairings.base import Pairing
from plait.tasks.match.work import WORK, MatchWork
from tests.tasks.match.toys import ToyFeed, recipe, toy_learner
from tests.toys import toy_collection


def made(given: Recipe) -> MatchLearner:
    return assemble(given, *bare_sides(given.fusion.width))


def test_it_is_the_tasks_work() -> None:
    work: Work = WORK
    assert TASK.load_work() is work
    assert isinstance(WORK, MatchWork)


def test_every_pairing_is_one() -> None:
    for name in PAIRINGS:
        assert issubclass(find_pairing(name), Pairing)
    with pytest.raises(UnknownNameError, match="did you mean 'itm'"):
        find_pairing("itn")


def test_use_says_tokens_pairing_and_candidates() -> None:
    found = WORK.use(recipe(name="cross", rerank_k=7))
    assert found.columns == {"tokens": "tokens", "pairing": "itm", "rerank_k": 7}
    assert found.flags == ()
    found = WORK.use(recipe(name="late"))
    assert found.columns == {"tokens": "pooled", "pairing": "all", "rerank_k": None}
    found = WORK.use(recipe(name="cross", tokens="pooled", pairing="matched"))
    assert found.columns == {"tokens": "pooled", "pairing": "matched", "rerank_k": None}
    assert found.flags == ("leaky",)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"fusion": {"name": "lat"}}, "unknown fusion 'lat'; did you mean 'late'"),
        ({"fusion": {"name": "image_only"}}, "fusion 'image_only' does not serve task 'match'; these do: late, "),
        ({"fusion": {"name": "late", "pairing": "matched"}}, "cannot be paired 'matched'; it can be: all"),
        ({"fusion": {"name": "cross", "pairing": "own"}}, "cannot be paired 'own'"),
        ({"objective": {"name": "match"}}, "objective 'match' is not chosen by name"),
        ({"objective": {"name": "bce"}}, "objective 'bce' does not serve task 'match'; these do: infonce, "),
        ({"objective": {"name": "infonse"}}, "unknown objective 'infonse'; did you mean 'infonce'"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_loaded(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        WORK.use(recipe_from_dict(given))


def test_weights_are_named_and_ordered_by_part() -> None:
    learner = made(recipe(name="cross", width=16, options={"heads": 2}, towers={"hidden": 4}))
    parts = list(dict.fromkeys(name.split(".")[0] for name, _ in learner.named_parameters()))
    assert parts == ["model", "towers", "objective"]
    assert list(dict.fromkeys(name.split(".")[0] for name in learner.state_dict())) == parts
    assert any(name.startswith("towers.fusion.text_project") for name in learner.state_dict())


def test_parts_of_each_pairing() -> None:
    itm = made(recipe(name="cross", width=16, options={"heads": 2}))
    assert isinstance(itm.objective, Matching)
    assert itm.towers is not None
    assert itm.pairing.scale.item() == pytest.approx(1 / 0.07)
    for pairing, scale in (("all", 1.0), ("matched", 1 / 0.07)):  # a logit is on its own scale, a cosine is not
        learner = made(recipe(name="cross", width=16, pairing=pairing, options={"heads": 2}))
        assert isinstance(learner.objective, InfoNCE)
        assert learner.towers is None
        assert learner.pairing.scale.item() == pytest.approx(scale)
    assert made(recipe(name="late", width=16)).pairing.scale.item() == pytest.approx(1 / 0.07)
    own = recipe_from_dict(
        {"fusion": {"name": "film", "width": 16, "pairing": "all"}, "objective": {"options": {"scale": 3.0}}}
    )
    assert made(own).pairing.scale.item() == pytest.approx(3.0)
    triplet = replace(own, objective=replace(own.objective, name="triplet", options={}))
    assert made(triplet).pairing.scale.item() == pytest.approx(1 / 0.07)  # it takes no scale


def test_a_seed_makes_the_same_weights() -> None:
    learners = []
    for _ in range(2):
        torch.manual_seed(4)
        learners.append(made(recipe(name="cross", width=16, options={"heads": 2})))
    for one, other in zip(learners[0].parameters(), learners[1].parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", [name for name, entry in FUSIONS.items() if entry.pairings])
def test_every_fusion_that_serves_can_be_assembled(name: str) -> None:
    for pairing in FUSIONS[name].pairings:
        learner = made(recipe(name=name, pairing=pairing))
        assert isinstance(learner.pairing, find_pairing(pairing))


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(ConfigError, match="head 'logit' has no option 'pol'; did you mean 'pool'"):
        made(recipe(name="cross", head={"pol": "max"}))
    with pytest.raises(ConfigError, match="fusion 'late' has no option 'poll'"):
        made(recipe(name="cross", towers={"poll": "max"}))


def test_targets_are_the_numbers_of_images() -> None:
    learner = toy_learner()
    feed = ToyFeed(toy_collection(), learner)
    found = WORK.targets(learner, feed).take(np.array([0, 1, 5]), np.array([0, 0, 1]))  # type: ignore[arg-type]
    assert isinstance(found, torch.Tensor)
    assert found.dtype == torch.int64
    assert found.tolist() == [0, 0, 2]


def test_data_of_one_image_is_refused() -> None:
    whole = toy_collection()
    WORK.check_data(whole)
    one = Collection("one", "tests", whole.photos, whole.captions[:2], whole.splits)
    with pytest.raises(InputError, match=r"data 'one': 1 photo\(s\) with captions; matching needs at least 2"):
        WORK.check_data(one)


def test_it_learned_if_recall_is_above_chance_by_three_deviations() -> None:
    data = {"photos": 100, "captions": 500}  # 1 % and 3 * sqrt(0.0099 / 500) = 1.33 %
    assert not WORK.learned({"data": data, "metrics": {"t2i_r1": 2.3}})
    assert WORK.learned({"data": data, "metrics": {"t2i_r1": 2.4}})
