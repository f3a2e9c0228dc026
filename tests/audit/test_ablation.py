"""Ablations, baselines, the metrics' self-test and images that splits share."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from plait.audit.ablation import ABLATIONS, ablate, recall_bound, recalls
from plait.audit.baselines import baselines
from plait.audit.metric_self_test import MetricSelfTest, metric_self_test
from plait.audit.overlap import Overlap, shared_images
from plait.core.types import Tokens
from plait.data.collection import Caption, Collection, Photo
from plait.nn.pairs import cosine_similarities
from plait.nn.precision import Precision, autocast_context
from tests.audit.toys import Apart, Sum, noise


def alike(text: Tokens, image: Tokens) -> torch.Tensor:
    """A leak-free score: equal tokens match."""
    return cosine_similarities(text.values.mean(1), image.values.mean(1))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_an_honest_score_falls_to_chance(precision: Precision) -> None:
    side, _ = noise(rows=20)
    with autocast_context(precision):
        assert recalls(alike(side, side)) == {"t2i_r1": 100.0, "i2t_r1": 100.0}
        found = ablate(alike, side, side)
    assert set(found) == set(ABLATIONS)
    for kind in ("text shuffled", "image shuffled"):
        assert found[kind] == {"t2i_r1": 0.0, "i2t_r1": 0.0}  # every caption finds the image it came from, a wrong one
    for kind in ("text removed", "image removed"):
        assert found[kind]["t2i_r1"] == pytest.approx(5.0)  # ties: one of twenty


def test_a_leak_survives_every_ablation() -> None:
    text, image = noise(rows=20)
    found = ablate(Sum().matched, text, image)
    assert all(value == 100.0 for recall in found.values() for value in recall.values())
    found = ablate(Apart().matched, text, image, kinds=ABLATIONS[:1])
    assert list(found) == ["text shuffled"]
    assert max(found["text shuffled"].values()) <= recall_bound(20)


def test_more_pairs_find_smaller_leaks() -> None:
    assert [round(recall_bound(count), 1) for count in (24, 64, 100, 200)] == [29.2, 10.9, 7.0, 3.5]


def test_baselines_by_hand() -> None:
    # image 0 has three captions, image 1 has one; "a dog" is said twice
    found = baselines(np.array([0, 0, 0, 1]), 2, ["a dog", "a cat", "a dog", "a fox"])
    assert found["chance"] == {"t2i_r1": 50.0, "i2t_r1": 50.0}  # (3/4 + 1/4) / 2
    assert found["constant"] == found["chance"]
    assert found["prior"]["t2i_r1"] == 75.0  # always image 0
    assert found["prior"]["i2t_r1"] == 50.0  # always "a dog": right for image 0


def test_metrics_give_a_perfect_model_a_hundred() -> None:
    """The published formula, argmax of a batch's columns against row numbers of the whole set, gives 0.3 here."""
    rows = np.arange(8064)[:96]
    found = metric_self_test(rows, 96)
    assert found.passed
    assert found.perfect["t2i_r1"] == found.perfect["i2t_map"] == 100.0
    assert found.worst["t2i_r1"] == 0.0
    assert metric_self_test(np.array([0, 0, 1, 2, 2]), 4).passed  # image 3 has no caption
    assert not MetricSelfTest({"t2i_r1": 0.3}, {"t2i_r1": 0.0, "i2t_r1": 0.0}).passed
    logits = np.concatenate([np.eye(24)] * 336)  # as printed: all batches one below the other
    assert (logits.argmax(1) == np.arange(8064)).mean() == pytest.approx(0.003, abs=0.0001)


def pictures() -> Collection:
    random = np.random.default_rng(0)
    base = np.kron(random.integers(0, 255, (8, 9, 3)), np.ones((6, 6, 1))).astype(np.uint8)
    bright = np.clip(base.astype(int) + 3, 0, 255).astype(np.uint8)
    other = np.kron(random.integers(0, 255, (8, 9, 3)), np.ones((6, 6, 1))).astype(np.uint8)
    photos = tuple(Photo(f"p{n}", p) for n, p in enumerate([base, other, base.copy(), bright]))
    captions = tuple(Caption(f"c{n}", f"caption {n}", n) for n in range(4))
    return Collection("pictures", "tests", photos, captions, {"train": (0, 1), "val": (2, 3)})


def test_shared_images() -> None:
    assert shared_images(pictures(), "val") == Overlap("train", "val", (("p0", "p2"),), None)
    found = shared_images(pictures(), "val", perceptual=True)
    assert found.exact == (("p0", "p2"),)
    assert found.near == (("p0", "p3"),)
