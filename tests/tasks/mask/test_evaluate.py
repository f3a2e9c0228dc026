"""Evaluation of masks: they are learned, the text decides, and nothing is chosen on what is measured."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from plait.core.errors import ConfigError, InputError
from plait.data.collection import keep_photos
from plait.metrics.statistics import bootstrap_interval
from plait.nn.precision import Precision
from plait.tasks.mask.counting import partner_captions
from plait.tasks.mask.metrics import METRICS
from plait.tasks.mask.work import WORK
from tests.tasks.mask.conftest import Trained
from tests.tasks.mask.toys import MaskFeed, mask_collection, mask_learner, mask_recipe

both_precisions = pytest.mark.parametrize("precision", ["fp32", "bf16"])


def evaluate(feed: MaskFeed, precision: Precision = "fp32", **options: object):  # type: ignore[no-untyped-def]
    """Evaluate the feed's learner on val."""
    return WORK.evaluate(feed.learner, feed, mask_recipe(precision), **{"split": "val", **options})  # type: ignore[arg-type]


def test_masks_are_learned_and_the_text_decides(trained: Trained) -> None:
    found, metrics = trained.found, trained.found.metrics
    assert trained.losses[-1] < 0.5 * trained.losses[0]
    assert metrics["miou"] > 85
    assert metrics["miou_all_foreground"] == pytest.approx(50.0)  # each colour fills one half
    assert metrics["miou_all_background"] == 0.0
    assert metrics["miou_mean_mask"] < 60
    assert metrics["miou_text_shuffled"] < metrics["miou"] - 20
    assert metrics["miou_text_removed"] < metrics["miou"] - 20
    assert found.flags == ()
    assert found.details["fall_without_text"]["low"] > 0
    assert (len(found.images), len(found.captions)) == (32, 64)
    assert WORK.learned({"metrics": metrics})
    assert not WORK.learned({"metrics": {**metrics, "miou": metrics["miou_all_foreground"]}})


def test_every_figure_is_the_weighted_mean_of_its_images(trained: Trained) -> None:
    assert [one.metric for one in trained.found.measured] == list(METRICS)
    for one in trained.found.measured:
        assert one.weights is not None
        assert len(one.items) == len(one.weights) == len(trained.found.images)
        interval = bootstrap_interval(one.items, weights=one.weights, bounds=one.metric.bounds)
        assert interval.mean == pytest.approx(one.value), one.metric.key
        assert interval.low <= interval.mean <= interval.high, one.metric.key


def test_the_threshold_is_chosen_where_nothing_is_measured(trained: Trained) -> None:
    found = trained.found
    assert found.details["threshold_on"] == "128 captions of train"
    assert found.details["mean_mask_of"] == "128 captions of train"
    assert 0 < found.details["threshold"] < 1
    again = evaluate(trained.feed, trained.precision, known=found.details)
    assert again.metrics == found.metrics
    assert again.details == found.details
    moved = evaluate(trained.feed, trained.precision, known={**found.details, "threshold": 0.98})
    assert moved.metrics["miou"] != found.metrics["miou"]


def test_a_point_of_the_curve_is_miou_alone(trained: Trained) -> None:
    quick = evaluate(trained.feed, trained.precision, limit=4)
    assert list(quick.metrics) == [metric.key for metric in METRICS if metric.on_curve] == ["miou"]
    assert quick.metrics["miou"] > 50
    assert (len(quick.images), quick.details["threshold_on"]) == (4, "what is measured")


def test_progress_counts_captions_and_the_mode_of_the_model_stays(trained: Trained) -> None:
    seen: list[tuple[int, int]] = []
    trained.learner.model.train()
    evaluate(trained.feed, trained.precision, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(32, 64), (64, 64)]
    assert trained.learner.model.training


@both_precisions
def test_a_model_that_ignores_the_text_is_flagged(precision: Precision) -> None:
    learner = mask_learner()
    feed = MaskFeed(learner)
    with torch.no_grad():
        learner.model.text.adapter.map.weight.zero_()  # type: ignore[union-attr, operator]  # all texts are alike
    found = evaluate(feed, precision)
    assert found.flags == ("ignores the text",)
    assert found.metrics["miou_text_shuffled"] == pytest.approx(found.metrics["miou"])


def test_partners_have_another_image_and_other_words() -> None:
    feed = MaskFeed(mask_learner())
    partner = partner_captions(feed)  # type: ignore[arg-type]
    rows = np.arange(len(partner))
    assert (feed.image_of[partner] != feed.image_of[rows]).all()
    assert all(feed.texts[other] != feed.texts[row] for row, other in enumerate(partner))
    held_out = np.isin(feed.image_of, feed.collection.splits["val"])
    assert (held_out[partner] == held_out).all()
    feed.texts = ["the same"] * len(feed.texts)
    assert (partner_captions(feed) == rows).all()  # type: ignore[arg-type]


def test_what_cannot_be_measured_is_refused() -> None:
    learner, collection = mask_learner(), mask_collection()
    feed = MaskFeed(learner, keep_photos(collection, collection.splits["val"]), flip=False)
    with pytest.raises(ConfigError, match="no split but 'val'"):
        evaluate(feed)
    with pytest.raises(InputError, match="'train' holds no caption"):
        evaluate(feed, split="train", limit=4)
