"""Figures of classification by hand."""

from __future__ import annotations

import numpy as np
import pytest

from plait.core.errors import InputError, ShapeError
from plait.metrics.classes import (
    balanced_weights,
    calibration_error,
    confusion,
    fit_temperature,
    rank_of_truth,
    softmax,
)


def test_ranks_count_ties_against_the_truth() -> None:
    scores = np.array([[3.0, 1.0, 2.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    assert rank_of_truth(scores, np.array([2, 0, -1])).tolist() == [2, 2, 4]
    with pytest.raises(ShapeError, match="one class per image"):
        rank_of_truth(scores, np.array([0]))


def test_balanced_accuracy_is_the_mean_recall() -> None:
    truth = np.array([0, 0, 0, 0, 1, 2, 2])
    right = np.array([1, 1, 1, 0, 0, 1, 0])
    weights = balanced_weights(truth)
    assert weights.mean() == pytest.approx(1.0)
    assert np.average(right, weights=weights) == pytest.approx((0.75 + 0.0 + 0.5) / 3)
    with pytest.raises(InputError, match="at least one image"):
        balanced_weights(np.array([], dtype=np.int64))


def test_confusions_have_the_truth_in_rows() -> None:
    table = confusion(np.array([1, 1, 0, 0]), np.array([0, 1, 0, -1]), 2)
    assert table.tolist() == [[1, 1], [0, 1]]


def test_calibration_error_by_hand() -> None:
    # Two bins of fifteen: 0.8 twice, right once; 0.6 once, right.
    probabilities = np.array([[0.8, 0.2], [0.8, 0.2], [0.6, 0.4]])
    truth = np.array([0, 1, 0])
    assert calibration_error(probabilities, truth) == pytest.approx((abs(1 - 1.6) + abs(1 - 0.6)) / 3)
    with pytest.raises(InputError, match="calibration"):
        calibration_error(np.zeros((0, 2)), np.array([], dtype=np.int64))


def test_the_temperature_undoes_a_scale() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(4000, 5))
    shares = softmax(logits)
    truth = np.array([random.choice(5, p=row) for row in shares])
    assert fit_temperature(logits, truth) == pytest.approx(1.0, rel=0.1)
    assert fit_temperature(7 * logits, truth) == pytest.approx(7.0, rel=0.1)
    np.testing.assert_allclose(softmax(7 * logits, temperature=7.0), shares)
    assert calibration_error(softmax(7 * logits, temperature=fit_temperature(7 * logits, truth)), truth) < 0.03
    with pytest.raises(InputError, match="labelled"):
        fit_temperature(logits, np.full(4000, -1))
