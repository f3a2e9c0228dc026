"""Evaluation against numbers worked by hand, its items and weights, and what cannot be scored."""

from __future__ import annotations

import numpy as np
import pytest

from plait.core.errors import InputError
from plait.core.evaluation import Evaluation
from plait.data.collection import Caption, Collection, Photo
from plait.nn.precision import Precision
from plait.tasks.match.evaluate import evaluate_split
from plait.tasks.match.metrics import METRIC_OF
from tests.tasks.match.toys import ToyFeed, toy_learner
from tests.toys import toy_collection

PRECISIONS = ("fp32", "bf16")
WAYS = (("late", ""), ("scan_t2i", ""), ("cross", "itm"), ("cross", "all"), ("cross", "matched"))


def evaluated(fusion: str, pairing: str, precision: Precision, *, limit: int | None = None) -> Evaluation:
    learner = toy_learner(fusion, pairing=pairing)
    feed = ToyFeed(toy_collection(), learner)
    return evaluate_split(learner, feed, split="val", precision=precision, limit=limit)  # type: ignore[arg-type]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("fusion", "way"), WAYS)
def test_metrics_and_items_are_of_the_same_scores(fusion: str, way: str, precision: Precision) -> None:
    found = evaluated(fusion, way, precision)
    answers = found.answers
    scores, caption_row = answers.scores.text_to_image.numpy(), answers.caption_row
    own = scores[caption_row, np.arange(scores.shape[1])]
    tied = (scores == own).sum(0)
    rank = (scores > own).sum(0) + (tied + 1) / 2
    assert found["t2i_median_rank"].items.tolist() == rank.tolist()
    assert found["t2i_median_rank"].owner.tolist() == caption_row.tolist()  # type: ignore[union-attr]
    first = (scores > own).sum(0) == 0
    assert found.metrics["t2i_r1"] == pytest.approx(100 * (first / tied).mean())
    assert found.metrics["t2i_median_rank"] == np.median(rank)
    for image, row in enumerate(answers.scores.image_to_text.numpy()):
        mine = row[caption_row == image]
        # equal captions of two images tie: the first of r right ones among n tied is expected at (n + 1) / (r + 1)
        equal, right = (row == mine.max()).sum(), (mine == mine.max()).sum()
        assert found["i2t_median_rank"].items[image] == (row > mine.max()).sum() + (equal + 1) / (right + 1)
    assert found["i2t_median_rank"].owner.tolist() == list(range(16))  # type: ignore[union-attr]
    for one in found.measured:
        if one.metric.statistic == "mean":
            assert one.value == pytest.approx(np.average(one.items, weights=one.weights)), one.metric.key
            assert one.owner is None
        else:
            assert one.value == np.median(one.items)
            assert one.weights is None
    assert 0 <= found.metrics["binding_accuracy"] <= 100
    assert ("t2i_r1_fused" in found.metrics) == (way == "itm")
    assert found.flags == (("leaky",) if way == "matched" else ())
    assert len(found.images) == 16
    assert len(found.captions) == 32
    assert found.eval_s > 0


def test_the_figures_come_in_the_order_of_the_record() -> None:
    keys = [f"{way}_{name}" for way in ("t2i", "i2t") for name in ("r1", "r5", "r10", "median_rank", "map")]
    assert list(evaluated("late", "", "fp32").metrics) == [*keys, "t2i_agreement", "binding_accuracy"]
    own = [f"{way}_r1_{what}" for way in ("t2i", "i2t") for what in ("towers", "gain")]
    candidates = [*own, *(f"{way}_r1_{order}" for order in ("fused", "random") for way in ("t2i", "i2t"))]
    found = evaluated("cross", "itm", "fp32")
    assert list(found.metrics) == [*keys, *candidates, "t2i_agreement", "binding_accuracy"]
    assert all(one.metric is METRIC_OF[one.metric.key] for one in found.measured)


def test_candidates_in_other_orders_by_hand() -> None:
    found = evaluated("cross", "itm", "fp32")
    answers = found.answers
    for order, matrices in answers.scores.candidates.items():
        matrix = matrices[0].numpy()
        best = matrix >= matrix.max(0)
        right = best[answers.caption_row, np.arange(matrix.shape[1])] / best.sum(0)
        assert found.metrics[f"t2i_r1_{order}"] == pytest.approx(100 * right.mean())


def test_a_limit_gives_the_curve_of_the_first_images() -> None:
    found = evaluated("cross", "itm", "fp32", limit=5)
    assert list(found.metrics) == ["t2i_r1", "i2t_r1"]
    assert found.images == (32, 33, 34, 35, 36)
    assert len(found["t2i_r1"].items) == 5


def test_the_learner_is_given_back_as_it_was() -> None:
    learner = toy_learner("late").train()
    feed = ToyFeed(toy_collection(), learner)
    evaluate_split(learner, feed, split="val", precision="fp32")  # type: ignore[arg-type]
    assert learner.training
    assert learner.model.training


def test_one_image_with_captions_cannot_be_ranked() -> None:
    photos = tuple(Photo(str(n), np.full((8, 8, 3), n, np.uint8)) for n in range(4))
    captions = tuple(Caption(str(n), f"photo {n}", n) for n in range(3))
    collection = Collection("few", "tests", photos, captions, {"train": (0, 1), "val": (2, 3)})
    learner = toy_learner("late")
    with pytest.raises(InputError, match=r"data 'few': split 'val' holds 1 photo\(s\) with captions"):
        evaluate_split(learner, ToyFeed(collection, learner), split="val", precision="fp32")  # type: ignore[arg-type]
