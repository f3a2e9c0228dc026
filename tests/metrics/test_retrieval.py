"""Retrieval metrics: hand-worked numbers, ties, errors, and what each photo adds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from plait.core.errors import InputError, ShapeError
from plait.metrics.binding import binding_accuracy
from plait.metrics.retrieval import (
    hits,
    image_contributions,
    image_to_text,
    mean_average_precision,
    median_rank,
    recall_at,
    retrieval_metrics,
    text_to_image,
)

# Two photos; captions 0, 1, 2 belong to photo 0 and caption 3 to photo 1: not the same number per photo.
SCORES = np.array([[0.9, 0.2, 0.5, 0.6], [0.1, 0.4, 0.3, 0.7]])
OWNER = np.array([0, 0, 0, 1])


def test_ranks_photos_for_each_caption_by_hand() -> None:
    ranks = text_to_image(SCORES, OWNER)
    assert ranks.rank.tolist() == [1.0, 2.0, 1.0, 1.0]
    assert recall_at(ranks, 1) == 75.0
    assert recall_at(ranks, 2) == 100.0
    assert median_rank(ranks) == 1.0
    assert mean_average_precision(ranks) == pytest.approx(100 * (1 + 0.5 + 1 + 1) / 4)


def test_ranks_captions_for_each_photo_by_hand() -> None:
    ranks = image_to_text(SCORES, OWNER)
    # photo 0 orders captions 0, 3, 2, 1: its own stand at 1, 3, 4; photo 1 has its one at the top
    assert ranks.rank.tolist() == [1.0, 1.0]
    assert ranks.average_precision.tolist() == pytest.approx([(1 / 1 + 2 / 3 + 3 / 4) / 3, 1.0])


def test_best_right_caption_counts_however_bad_the_others_are() -> None:
    ranks = image_to_text(np.array([[5.0, -9.0, 1.0, 2.0], [0.0, 0.0, 0.0, 0.0]]), [0, 0, 1, 1])
    assert ranks.rank[0] == 1.0
    assert recall_at(ranks, 1) == pytest.approx(100 * (1 + 0.5) / 2)


def test_identity_scores_give_100() -> None:
    result = retrieval_metrics(np.eye(12), np.arange(12))
    assert {name: value for name, value in result.items() if "median" not in name} == dict.fromkeys(
        ["t2i_r1", "t2i_r5", "t2i_r10", "t2i_map", "i2t_r1", "i2t_r5", "i2t_r10", "i2t_map"], 100.0
    )
    assert result["t2i_median_rank"] == result["i2t_median_rank"] == 1.0


def test_constant_scores_give_exactly_chance() -> None:
    owner = np.repeat(np.arange(20), 3)
    result = retrieval_metrics(np.zeros((20, 60)), owner, ks=(1, 5))
    assert result["t2i_r1"] == pytest.approx(100 / 20)
    assert result["t2i_r5"] == pytest.approx(100 * 5 / 20)
    assert result["i2t_r1"] == pytest.approx(100 * 3 / 60)
    none_of_five = np.prod([(57 - j) / (60 - j) for j in range(5)])
    assert result["i2t_r5"] == pytest.approx(100 * (1 - none_of_five))
    assert result["t2i_median_rank"] == pytest.approx(10.5)
    assert result["i2t_median_rank"] == pytest.approx(61 / 4)


def test_a_tie_between_right_and_wrong_earns_half_a_hit() -> None:
    ranks = text_to_image(np.array([[1.0], [1.0]]), [0])
    assert (ranks.rank[0], hits(ranks, 1)[0], hits(ranks, 2)[0]) == (1.5, 0.5, 1.0)
    assert ranks.average_precision[0] == pytest.approx((1 + 1 / 2) / 2)


def test_image_without_captions_is_candidate_but_no_query() -> None:
    ranks = image_to_text(np.array([[0.1], [0.9], [0.5]]), [2])
    assert ranks.query.tolist() == [2]
    assert text_to_image(np.array([[0.1], [0.9], [0.5]]), [2]).rank.tolist() == [2.0]


def test_infinite_scores_order_like_any_other() -> None:
    ranks = text_to_image(np.array([[-np.inf, 0.0], [1.0, np.inf], [-np.inf, 2.0]]), [0, 1])
    assert ranks.rank.tolist() == [2.5, 1.0]


def test_large_tables_are_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.random.default_rng(0).normal(size=(6, 18))
    owner = np.arange(18) % 6
    whole = text_to_image(scores, owner).rank
    monkeypatch.setattr("plait.metrics.retrieval._BLOCK_ENTRIES", 12)
    assert text_to_image(scores, owner).rank.tolist() == whole.tolist()


def test_half_precision_tensors_are_read_exactly() -> None:
    scores = torch.randn(5, 10, generator=torch.Generator().manual_seed(0)).bfloat16().requires_grad_()
    owner = torch.arange(10) // 2
    assert retrieval_metrics(scores, owner) == retrieval_metrics(scores.detach().double().numpy(), owner.numpy())


def test_contributions_of_images_add_up_to_the_metrics() -> None:
    generator = np.random.default_rng(3)
    owner = np.array([0, 0, 0, 1, 2, 2, 4, 4, 4, 4])  # image 3 has none
    scores = generator.integers(0, 4, size=(5, 10)).astype(float)
    parts = image_contributions(scores, owner, ks=(1, 2))
    assert parts.captions.tolist() == [3, 1, 2, 0, 4]
    for name, value in retrieval_metrics(scores, owner, ks=(1, 2)).items():
        if "median" not in name:
            weights = parts.weights(name)
            assert parts.values[name] @ weights / weights.sum() == pytest.approx(value), name
    assert parts.values["t2i_r1"][0] == pytest.approx(100 * hits(text_to_image(scores, owner), 1)[:3].mean())
    assert parts.i2t_image.tolist() == [0, 1, 2, 4]
    assert len(parts.t2i_ranks) == 10
    assert len(parts.i2t_ranks) == 4


def test_binding_accuracy_counts_a_tie_half() -> None:
    assert binding_accuracy(np.array([0.9, 0.5, 0.1, 0.7]), np.array([0.1, 0.5, 0.2, 0.3])) == 62.5
    assert binding_accuracy(torch.zeros(4), torch.zeros(4)) == 50.0


def test_refuses_what_has_no_rank() -> None:
    broken = np.eye(3)
    broken[1, 2] = np.nan
    with pytest.raises(InputError, match=r"scores: 1 of 9 are not numbers \(NaN\)"):
        text_to_image(broken, [0, 1, 2])
    with pytest.raises(InputError, match="is the split empty"):
        image_to_text(np.zeros((3, 0)), np.zeros(0, dtype=int))
    with pytest.raises(ShapeError, match=r"expected \(images, captions\) and \(captions,\), got \(3, 3\) and \(2,\)"):
        text_to_image(np.eye(3), [0, 1])
    with pytest.raises(InputError, match="expected numbers from 0 to 2"):
        text_to_image(np.eye(3), [0, 1, 3])
    with pytest.raises(InputError, match="expected whole numbers, got float64"):
        text_to_image(np.eye(3), [0.0, 1.0, 2.0])
    with pytest.raises(InputError, match="whole number of at least 1, got 0"):
        recall_at(text_to_image(np.eye(3), [0, 1, 2]), 0)
    with pytest.raises(ShapeError, match=r"two vectors of one length, got \(2,\) and \(3,\)"):
        binding_accuracy(np.zeros(2), np.zeros(3))
    with pytest.raises(InputError, match="at least one image with a counterfactual"):
        binding_accuracy(np.zeros(0), np.zeros(0))
    with pytest.raises(InputError, match="counterfactual captions: 1 are not numbers"):
        binding_accuracy(np.zeros(2), np.array([np.nan, 0.0]))
