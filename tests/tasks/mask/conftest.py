"""What the tests of masks share: one trained learner per precision, evaluated once."""

from __future__ import annotations

from typing import NamedTuple, cast

import pytest

from plait.core.evaluation import Evaluation
from plait.nn.precision import Precision
from plait.tasks.mask.learner import MaskLearner
from plait.tasks.mask.work import WORK
from tests.tasks.mask.toys import MaskFeed, mask_collection, mask_learner, mask_recipe, train_masks


class Trained(NamedTuple):
    """A learner of masks, trained on the toys, with its evaluation on val."""

    precision: Precision
    learner: MaskLearner
    feed: MaskFeed
    losses: list[float]
    found: Evaluation


@pytest.fixture(scope="session", params=["fp32", "bf16"])
def trained(request: pytest.FixtureRequest) -> Trained:
    """Train the toys in each precision, whatever this machine's own choice is."""
    precision = cast(Precision, request.param)
    learner = mask_learner()
    feed = MaskFeed(learner, mask_collection(96))
    losses = train_masks(learner, feed, precision=precision)
    found = WORK.evaluate(learner, feed, mask_recipe(precision), split="val")  # type: ignore[arg-type]
    return Trained(precision, learner, feed, losses, found)
