"""Masks by counting: overlaps at every threshold against plain masks, the best threshold, and calibration."""

from __future__ import annotations

import numpy as np
import pytest

from plait.core.errors import ShapeError
from plait.metrics.mask_counts import BINS, THRESHOLDS, best_threshold, calibration, count, overlap_at


def test_counts_agree_with_masks_at_every_threshold() -> None:
    random = np.random.default_rng(0)
    probability = (random.integers(0, 101, (4, 9, 7)) / 100).astype(np.float32)
    truth = random.random((4, 9, 7)) < 0.4
    counts = np.stack([count(p, t) for p, t in zip(probability, truth, strict=True)])
    assert counts.sum() == probability.size
    for threshold in THRESHOLDS:
        predicted = probability.round(2) >= np.float32(threshold)
        found = overlap_at(counts, threshold)
        assert (found.both == (predicted & truth).sum((1, 2))).all(), threshold
        assert (found.either == (predicted | truth).sum((1, 2))).all(), threshold
        assert (found.predicted == predicted.sum((1, 2))).all(), threshold
        assert (found.true == truth.sum((1, 2))).all(), threshold


def test_hand_worked_overlap_and_empty_masks() -> None:
    probability = np.array([[0.9, 0.9, 0.1, 0.1]], dtype=np.float32)
    counts = np.stack(
        [
            count(probability, np.array([[True, False, True, False]])),  # 1 of 3 pixels; 2 of 4
            count(probability, np.zeros((1, 4), dtype=bool)),
            count(np.zeros((1, 4), dtype=np.float32), np.zeros((1, 4), dtype=bool)),
        ]
    )
    found = overlap_at(counts, 0.5)
    assert found.iou().tolist() == pytest.approx([1 / 3, 0.0, 1.0])
    assert found.dice().tolist() == pytest.approx([0.5, 0.0, 1.0])
    with pytest.raises(ShapeError, match=r"for each pixel of the mask \(2, 2\), got \(1, 4\)"):
        count(probability, np.zeros((2, 2), dtype=bool))


def test_the_best_threshold_parts_what_can_be_parted() -> None:
    probability = np.array([[0.2, 0.2, 0.34, 0.34]], dtype=np.float32)
    counts = count(probability, np.array([[False, False, True, True]]))[None]
    assert best_threshold(counts) == pytest.approx(0.34)  # of 0.22 to 0.34 the nearest to a half
    assert best_threshold(count(np.ones((1, 2), dtype=np.float32), np.ones((1, 2), dtype=bool))[None]) == 0.5


def test_calibration_says_how_often_a_probability_is_right() -> None:
    probability = np.array([[0.05, 0.05, 0.05, 0.05, 0.95, 0.95, 1.0]], dtype=np.float32)
    truth = np.array([[True, False, False, False, True, True, False]])
    spans = calibration(count(probability, truth)[None])
    assert [(span["low"], span["high"], span["pixels"]) for span in spans] == [(0.0, 0.1, 4), (0.9, 1.0, 3)]
    assert [span["share"] for span in spans] == pytest.approx([0.25, 2 / 3])
    assert BINS % 10 == 0
