"""From a recipe to a learner of answers: what serves, what is refused, and the loss of a batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from plait.core.config import FusionSettings, ObjectiveSettings, Recipe
from plait.core.errors import ConfigError, ShapeError
from plait.core.types import AnswerTarget, Batch
from plait.fusion import FUSIONS
from plait.heads.answer import AnswerHead
from plait.objectives.answer import AnswerBinary, AnswerCrossEntropy
from plait.tasks.answer import TASK
from plait.tasks.answer.learner import AnswerLearner
from plait.tasks.answer.work import WORK
from tests.toys import WIDTH, toy_sides

FUSIONS_SERVING = [name for name, entry in FUSIONS.items() if TASK.serves("fusion", entry)]
ANSWERS = ["yes", "no", "red"]


def recipe(name: str = "san", objective: str = "", **settings: Any) -> Recipe:
    head = {"answers": ANSWERS, **settings.pop("head", {})}
    return Recipe(
        task="answer",
        fusion=FusionSettings(name=name, width=WIDTH, head=head, **settings),
        objective=ObjectiveSettings(name=objective),
    )


def learner_of(settings: Recipe) -> AnswerLearner:
    torch.manual_seed(0)
    return WORK.assemble(settings, *toy_sides())


@pytest.mark.parametrize("name", FUSIONS_SERVING)
def test_every_fusion_for_answers_gets_the_head(name: str) -> None:
    use = WORK.use(recipe(name))
    assert use.columns["pairing"] == "own"
    learner = learner_of(recipe(name))
    assert isinstance(learner.model.head, AnswerHead)
    assert learner.answers == tuple(ANSWERS)


def test_fusions_that_only_compare_vectors_do_not_serve() -> None:
    assert not {"late", "scan", "max_sim", "image_only"} & set(FUSIONS_SERVING)
    with pytest.raises(ConfigError, match=r"fusion 'late' does not serve task 'answer'; these do: .*san"):
        WORK.use(recipe("late"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"pairing": "itm"}, "pairing 'itm'.*leave fusion.pairing out"),
        ({"objective": "infonce"}, "objective 'infonce' does not serve"),
        ({"head": {"name": "spatial"}}, "head 'spatial' does not serve"),
        ({"head": {"hiden": 3}}, "no option 'hiden'.*hidden"),
        ({"head": {"top": 0}}, "head.top"),
    ],
)
def test_what_does_not_serve_is_refused_before_anything_is_loaded(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        WORK.use(recipe(**settings))


@pytest.mark.parametrize("answers", [[], ["yes"], ["yes", "yes"]])
def test_a_list_that_leaves_no_choice_is_refused(answers: list[str]) -> None:
    with pytest.raises(ConfigError, match="at least two different answers"):
        learner_of(recipe(head={"answers": answers}))


def test_the_objective_is_the_tasks_own_unless_named() -> None:
    assert isinstance(learner_of(recipe()).objective, AnswerCrossEntropy)
    assert isinstance(learner_of(recipe(objective="answer_bce")).objective, AnswerBinary)


def batch(target: Any) -> Batch:
    text = torch.tensor([[1, 2, 3], [4, 5, 0], [6, 0, 0]])
    return Batch(text, text > 0, torch.rand(2, 3, 8, 8), target, image_row=torch.tensor([0, 0, 1]))


def test_questions_of_one_image_are_trained_together() -> None:
    learner = learner_of(recipe())
    target = AnswerTarget(torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 0]]), torch.tensor([0, 1, -1]))
    loss = learner.loss(batch(target))
    loss.total.backward()
    assert torch.isfinite(loss.total)
    assert all(p.grad is not None for p in learner.model.head.parameters())
    with pytest.raises(ShapeError, match="expected an AnswerTarget"):
        learner.loss(batch(torch.zeros(3)))
