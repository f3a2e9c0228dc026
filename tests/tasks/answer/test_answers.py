"""The list of answers, the priors and the targets: from the training questions alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plait.core.config import FusionSettings, Recipe
from plait.core.errors import ConfigError, InputError
from plait.listing import fitting_recipe
from plait.tasks.answer import TASK
from plait.tasks.answer.answers import Priors, check_answers, head_data
from plait.tasks.answer.targets import AnswerTargets
from tests.tasks.answer.toys import collection

ASKED = [
    ("what is it?", ["Dog", "dog", "a dog"]),
    ("what is it?", ["dog"]),
    ("what is it?", ["cat"]),
    ("how many are there?", ["two"]),
    ("what is that?", ["zebra", "horse", "horse"]),
    ("what is that?", ["unicorn"]),
    ("how many are there?", ["2"]),
]


def recipe(**head: object) -> Recipe:
    return Recipe(task="answer", fusion=FusionSettings(name="san", width=16, head=dict(head)))


def test_the_list_is_made_of_training_answers_the_most_common_first() -> None:
    data = collection(ASKED)
    assert head_data(recipe(), data) == {"answers": ["dog", "2", "cat", "horse"]}
    assert head_data(recipe(top=2), data) == {"answers": ["dog", "2"]}
    with pytest.raises(InputError, match=r"1 different answer.*2 times or more.*at least 2"):
        head_data(recipe(min_count=2), data)


@pytest.mark.parametrize(
    ("head", "word"), [({"top": 1}, "top"), ({"top": True}, "top"), ({"min_count": 0}, "min_count")]
)
def test_options_of_the_list_are_checked(head: dict[str, object], word: str) -> None:
    with pytest.raises(ConfigError, match=rf"fusion.head.{word}: expected a whole number"):
        head_data(recipe(**head), collection(ASKED))


def test_priors_know_types_with_enough_questions_only() -> None:
    data = collection(ASKED)
    priors = Priors.of(data, data.captions_of("train"))
    assert priors.common == "dog"
    assert priors.by_type == {"what is": "dog"}
    assert priors.answer("How many are there?") == "dog"
    assert Priors.known({"priors": priors.to_json()}) == priors
    with pytest.raises(InputError, match="no training question"):
        Priors.of(data, [])


def test_targets_score_what_is_in_the_list_and_mark_what_is_not() -> None:
    targets = AnswerTargets(collection(ASKED), ["dog", "2", "cat", "horse"])
    found = targets.take(np.array([0, 4, 5, 6]), np.zeros(4, dtype=np.int64))
    assert found.common.tolist() == [0, 3, -1, 1]
    assert found.scores.tolist() == [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]]


def test_ten_answers_give_soft_scores() -> None:
    data = collection([("q?", ["yes"] * 8 + ["no"] * 2)] * 4)
    found = AnswerTargets(data, ["no", "yes"]).take(np.array([0]), np.zeros(1, dtype=np.int64))
    assert found.scores[0].tolist() == pytest.approx([0.6, 1.0])
    assert found.common.tolist() == [1]


def test_data_without_answers_is_refused_by_name() -> None:
    data = collection(ASKED)
    check_answers(data)
    bare = replace(data, captions=(*data.captions[:-1], replace(data.captions[-1], answers=())))
    with pytest.raises(InputError, match=r"'c6'.*has none.*scenes-questions"):
        check_answers(bare)


def test_the_recipe_suits_questions_and_not_classes() -> None:
    data = collection(ASKED)
    assert fitting_recipe(data) == "answer"
    assert fitting_recipe(replace(data, name="scenes-questions")) == "scenes_answer"
    classes = replace(data, captions=tuple(replace(one, answers=(one.text,)) for one in data.captions))
    assert TASK.recipe_for(classes) is None
