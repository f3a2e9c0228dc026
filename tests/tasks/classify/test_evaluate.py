"""Classes are learned from the image alone, and what is said of them is what was counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from plait.core.errors import InputError, ShapeError
from plait.data.collection import keep_photos
from plait.metrics.statistics import bootstrap_interval
from plait.tasks.classify.metrics import METRICS
from plait.tasks.classify.work import WORK
from tests.tasks.classify.conftest import Trained
from tests.tasks.classify.toys import ORDER, class_collection, class_feed, class_learner, class_recipe


def test_classes_are_learned_and_the_image_decides(trained: Trained) -> None:
    metrics = trained.found.metrics
    assert trained.losses[-1] < 0.5 * trained.losses[0]
    assert metrics["accuracy"] > 90
    assert metrics["accuracy_most_common"] == pytest.approx(100 / 3)
    assert metrics["accuracy_image_shuffled"] < 60
    assert metrics["accuracy_image_removed"] == pytest.approx(100 / 3)
    assert trained.found.flags == ()
    record = {"metrics": metrics, "data": {"photos": len(trained.found.images)}}
    assert WORK.learned(record)
    assert not WORK.learned({**record, "metrics": {**metrics, "accuracy": 40.0}})


def test_every_figure_is_the_weighted_mean_of_its_images(trained: Trained) -> None:
    # Three classes: the first three are all of them.
    assert [one.metric for one in trained.found.measured] == [m for m in METRICS if m.key != "accuracy_top3"]
    for one in trained.found.measured:
        interval = bootstrap_interval(one.items, weights=one.weights, bounds=one.metric.bounds)
        assert interval.mean == pytest.approx(one.value), one.metric.key
        assert len(one.items) == len(trained.found.images) == 24


def test_the_details_count_what_was_said(trained: Trained) -> None:
    details = trained.found.details
    table = np.array(details["confusion"])
    assert details["classes"] == list(ORDER)
    assert table.sum(axis=1).tolist() == [8, 8, 8]
    assert 100 * np.trace(table) / table.sum() == pytest.approx(trained.found.metrics["accuracy"])
    assert details["recall"] == pytest.approx((100 * np.diag(table) / 8).tolist())
    assert details["new_classes"] == {}
    assert 0 <= details["calibration_error"] <= 100


def test_a_point_of_the_curve_is_spread_over_the_split(trained: Trained) -> None:
    recipe = class_recipe(trained.precision)
    quick = WORK.evaluate(trained.learner, trained.feed, recipe, split="val", limit=6)  # type: ignore[arg-type]
    assert list(quick.metrics) == ["accuracy"]
    names = {trained.feed.collection.photos[i].id.rstrip("0123456789") for i in quick.images}
    assert (len(quick.images), names) == (6, set(ORDER))


def test_no_word_of_the_data_reaches_the_model() -> None:
    learner = class_learner()
    feed = class_feed(learner)
    assert not any(parameter.requires_grad for parameter in learner.model.text.parameters())
    recipe = class_recipe()
    before = WORK.evaluate(learner, feed, recipe, split="val").answers.probabilities  # type: ignore[arg-type]
    feed.texts = ["blue"] * len(feed.texts)
    with torch.no_grad():
        for parameter in learner.model.text.parameters():
            parameter.fill_(7.0)
    after = WORK.evaluate(learner, feed, recipe, split="val").answers.probabilities  # type: ignore[arg-type]
    np.testing.assert_array_equal(before, after)


def test_a_model_that_ignores_the_image_is_flagged() -> None:
    learner = class_learner()
    with torch.no_grad():
        learner.model.head.layers[-1].weight.zero_()  # type: ignore[union-attr, index, operator]
    found = WORK.evaluate(learner, class_feed(learner), class_recipe(), split="val")  # type: ignore[arg-type]
    assert found.flags == ("ignores the image",)
    assert found.details["fall_without_image"]["difference"] == 0


def test_a_class_that_training_never_saw_is_wrong_and_named() -> None:
    learner = class_learner()
    feed = class_feed(learner, class_collection(extra="yellow"))
    found = WORK.evaluate(learner, feed, class_recipe(), split="val")  # type: ignore[arg-type]
    assert "classes missing from training" in found.flags
    assert found.details["new_classes"] == {"yellow": 2}
    assert found["accuracy"].items[-2:].tolist() == [0.0, 0.0]
    assert np.array(found.details["confusion"]).sum() == 24


def test_the_most_common_class_is_that_of_training_also_later() -> None:
    learner, collection = class_learner(), class_collection()
    fewer = [i for i, c in enumerate(collection.captions) if c.text == "red" or i % 2]
    uneven = keep_photos(collection, fewer)
    known = WORK.evaluate(learner, class_feed(learner, uneven), class_recipe(), split="val").details  # type: ignore[arg-type]
    assert known["most_common"] == "red"
    alone = class_feed(learner, keep_photos(collection, collection.splits["val"]))
    again = WORK.evaluate(learner, alone, class_recipe(), split="val", known=known)  # type: ignore[arg-type]
    assert again.details["most_common"] == "red"


def test_what_cannot_be_learned_or_measured_is_refused() -> None:
    learner, collection = class_learner(), class_collection()
    feed = class_feed(learner, replace(collection, captions=collection.captions[:4]))
    with pytest.raises(InputError, match="holds no image with a class"):
        WORK.evaluate(
            learner, class_feed(learner, replace(collection, splits={"val": ()})), class_recipe(), split="val"
        )  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="int64"):
        learner.loss(replace(feed.batch(np.array([0, 1])), target=None))
    two = replace(collection.captions[0], id="again", text="blue", answers=("blue",))
    with pytest.raises(InputError, match="'red0' has the classes 'red' and 'blue'"):
        WORK.check_data(replace(collection, captions=(*collection.captions, two)))
    plain = replace(collection.captions[0], answers=())
    with pytest.raises(InputError, match="'red0#0' is none; give one folder"):
        WORK.check_data(replace(collection, captions=(plain, *collection.captions[1:])))
    WORK.check_data(collection)
