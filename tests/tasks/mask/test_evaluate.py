"""Evaluation of masks: they are learned, the text decides, and nothing is chosen on what is measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from plait.core.errors import ConfigError, InputError
from plait.data.collection import keep_photos
from plait.metrics.statistics import bootstrap_interval
from plait.nn.precision import Precision
from plait.tasks.mask.absent.pairs import draw_absent
from plait.tasks.mask.counting import partner_captions
from plait.tasks.mask.metrics import ABSENT, METRICS
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


def test_absent_phrases_are_told_apart_and_left_unmarked(trained: Trained) -> None:
    metrics, details = trained.found.metrics, trained.found.details
    assert metrics["presence_auroc"] > 90
    assert metrics["absent_area"] <= metrics["absent_area_mask"] < 15
    assert metrics["absent_marked"] <= metrics["absent_marked_mask"]
    assert metrics["present_refused"] < 20
    assert metrics["miou_answered"] <= metrics["miou"]
    assert metrics["miou_answered"] > metrics["miou"] - metrics["present_refused"] - 1e-9
    assert 0 < details["presence_threshold"] < 1
    assert details["presence_on"].endswith("phrases of train, each in its own image and in one that lacks it")
    assert details["absent_phrases"] == 64
    for key in ("presence_auroc", "absent_area"):
        interval = bootstrap_interval(trained.found[key].items, weights=trained.found[key].weights, bounds=(0, 100))
        assert interval.low <= metrics[key] <= interval.high


def test_refusing_everything_or_nothing(trained: Trained) -> None:
    everything = evaluate(trained.feed, trained.precision, known={**trained.found.details, "presence_threshold": 1.1})
    assert (everything.metrics["present_refused"], everything.metrics["miou_answered"]) == (100, 0)
    assert (everything.metrics["absent_area"], everything.metrics["absent_marked"]) == (0, 0)
    nothing = evaluate(trained.feed, trained.precision, known={**trained.found.details, "presence_threshold": 0.0})
    assert nothing.metrics["present_refused"] == 0
    assert nothing.metrics["miou_answered"] == nothing.metrics["miou"] == everything.metrics["miou"]
    assert nothing.metrics["absent_area"] == nothing.metrics["absent_area_mask"]
    assert nothing.metrics["presence_auroc"] == trained.found.metrics["presence_auroc"]


def test_a_run_of_an_earlier_version_is_measured_without_presence() -> None:
    feed = MaskFeed(mask_learner(absent=0.0))
    old = {key: value for key, value in evaluate(feed).details.items() if not key.startswith(("presence", "absent"))}
    found = evaluate(feed, known=old)
    assert "presence_auroc" not in found.metrics
    assert found.metrics["miou_answered"] == found.metrics["miou"]
    assert found.metrics["absent_area"] == found.metrics["absent_area_mask"]
    assert found.details["presence_threshold"] is None
    assert 0 <= found.metrics["presence_auroc_mask"] <= 100


def test_a_presence_score_that_tells_nothing_refuses_nothing() -> None:
    learner = mask_learner()
    assert learner.presence is not None
    with torch.no_grad():
        learner.presence.read.weight.zero_()  # every pair has the same score
    found = evaluate(MaskFeed(learner))
    assert found.metrics["presence_auroc"] == 50
    assert found.details["presence_threshold"] is None
    assert found.details["presence_on"].endswith("in one that lacks it")
    assert found.metrics["present_refused"] == 0
    assert found.metrics["miou_answered"] == found.metrics["miou"]


def test_the_drawn_pairs_are_those_of_the_split_alone() -> None:
    learner, collection = mask_learner(), mask_collection()
    whole = MaskFeed(learner, collection)
    part = MaskFeed(learner, keep_photos(collection, collection.splits["val"]))
    rows = np.flatnonzero(np.isin(whole.image_of, collection.splits["val"]))
    pairs = draw_absent(whole, rows)  # type: ignore[arg-type]
    assert np.array_equal(pairs, draw_absent(part, np.arange(len(rows))))  # type: ignore[arg-type]
    assert len(pairs) == len(rows)
    held = {text: {whole.image_of[row] for row in rows if whole.texts[row] == text} for text in set(whole.texts)}
    for phrase, image in pairs:
        assert whole.image_of[rows[image]] not in held[whole.texts[rows[phrase]]]


def test_where_nothing_is_known_to_be_absent_presence_is_not_measured() -> None:
    collection = mask_collection(12)
    captions = tuple(replace(c, text=f"{c.text} {c.id}") for c in collection.captions)  # no phrase recurs
    feed = MaskFeed(mask_learner(), replace(collection, captions=captions))
    found = evaluate(feed)
    assert not set(ABSENT) & set(found.metrics)
    assert (found.details["presence_threshold"], found.details["absent_phrases"]) == (None, 0)


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
