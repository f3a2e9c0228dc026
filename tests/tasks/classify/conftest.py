"""What the tests of classes share: one trained learner per precision, evaluated once."""

from __future__ import annotations

from typing import NamedTuple, cast

import pytest

from plait.core.evaluation import Evaluation
from plait.nn.precision import Precision
from plait.tasks.classify.learner import ClassLearner
from plait.tasks.classify.work import WORK
from tests.tasks.classify.toys import class_feed, class_learner, class_recipe, train_classes
from tests.tasks.match.toys import ToyFeed


class Trained(NamedTuple):
    """A learner of classes, trained on the toys, with its evaluation on val."""

    precision: Precision
    learner: ClassLearner
    feed: ToyFeed
    losses: list[float]
    found: Evaluation


@pytest.fixture(scope="session", params=["fp32", "bf16"])
def trained(request: pytest.FixtureRequest) -> Trained:
    """Train the toys in each precision, whatever this machine's own choice is."""
    precision = cast(Precision, request.param)
    learner = class_learner()
    feed = class_feed(learner)
    losses = train_classes(learner, feed, precision=precision)
    found = WORK.evaluate(learner, feed, class_recipe(precision), split="val")  # type: ignore[arg-type]
    return Trained(precision, learner, feed, losses, found)
