"""Figures of classification: right or wrong per image, balanced weights, confusions, calibration, temperature."""

from __future__ import annotations

import math

import numpy as np

from plait.core.errors import InputError, ShapeError

__all__ = ["balanced_weights", "calibration_error", "confusion", "fit_temperature", "rank_of_truth", "softmax"]

# The temperature is looked for between 1 / 1000 and 1000.
_WIDEST = math.log(1000.0)
_GOLDEN = (math.sqrt(5.0) - 1) / 2


def softmax(logits: np.ndarray, *, temperature: float = 1.0) -> np.ndarray:
    """Give softmax(logits / temperature) over the last axis: (..., K) float -> (..., K) float64, rows sum to 1."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    raised = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    found: np.ndarray = raised / raised.sum(axis=-1, keepdims=True)
    return found


def rank_of_truth(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Give the rank of each image's class, 1 = first; equal scores count against it.

    Shapes: scores (I, K) float; truth (I,) int64, -1 = not among the K classes, which ranks K + 1; returns (I,) int64.
    Raises:
        ShapeError: shapes do not fit.
    Example:
        >>> rank_of_truth(np.array([[0.1, 0.7, 0.2]]), np.array([2])).tolist()
        [2]
    """
    if scores.ndim != 2 or truth.shape != scores.shape[:1]:
        raise ShapeError(f"expected scores (I, K) and one class per image, got {scores.shape} and {truth.shape}")
    own = scores[np.arange(len(scores)), np.maximum(truth, 0)]
    ranks: np.ndarray = (scores >= own[:, None]).sum(axis=1)
    return np.where(truth < 0, scores.shape[1] + 1, ranks)


def balanced_weights(truth: np.ndarray) -> np.ndarray:
    """Give weights under which every class counts alike: 1 over the number of its images, scaled to the mean 1.

    The weighted mean of right answers is then the balanced accuracy: the mean over classes of their recall.

    Shapes: truth (I,) int64; returns (I,) float64.
    Undefined when: there is no image (an error).
    """
    if not len(truth):
        raise InputError("balanced weights: expected at least one image, got none")
    _, place, count = np.unique(truth, return_inverse=True, return_counts=True)
    weights: np.ndarray = len(truth) / (len(count) * count[place])
    return weights


def confusion(said: np.ndarray, truth: np.ndarray, classes: int) -> np.ndarray:
    """Count how often class k was taken for class j: (I,) and (I,) int64 -> (K, K) int64, row = truth.

    Images whose class is not among them (-1) are left out.
    """
    known = truth >= 0
    counts = np.bincount(truth[known] * classes + said[known], minlength=classes * classes)
    table: np.ndarray = counts.reshape(classes, classes)
    return table


def calibration_error(probabilities: np.ndarray, truth: np.ndarray, *, bins: int = 15) -> float:
    """Give the expected calibration error, in [0, 1]: the mean gap between the first class's probability and accuracy.

    Formula: sum over bins of share * |accuracy - mean probability|, bins of equal width over the first class's
    probability.

    Shapes: probabilities (I, K) float; truth (I,) int64.
    Undefined when: there is no image (an error).
    Source: Guo et al. 2017, equation 3.
    """
    if not len(truth):
        raise InputError("calibration error: expected at least one image, got none")
    sure = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    place = np.minimum((sure * bins).astype(np.int64), bins - 1)
    gaps = np.bincount(place, weights=right - sure, minlength=bins)
    return float(np.abs(gaps).sum() / len(truth))


def fit_temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """Give the temperature under which labelled images are most probable: one number, which changes no first class.

    Formula: the T in [0.001, 1000] that minimises the mean of -log softmax(logits / T) at the right class, by golden
    section on log T; the loss is unimodal in it.

    Shapes: logits (I, K) float; truth (I,) int64 in [0, K).
    Undefined when: there is no image, or one without a class (an error).
    Source: Guo et al. 2017, section 4.2. Differs: golden section in place of L-BFGS.
    """
    if not len(truth) or int(truth.min()) < 0:
        raise InputError("temperature: expected labelled images, each with one of the classes")
    values = np.asarray(logits, dtype=np.float64)
    rows = np.arange(len(truth))

    def loss(log_temperature: float) -> float:
        scaled = values / math.exp(log_temperature)
        highest = scaled.max(axis=1)
        total = highest + np.log(np.exp(scaled - highest[:, None]).sum(axis=1))
        return float((total - scaled[rows, truth]).mean())

    low, high = -_WIDEST, _WIDEST
    inner, outer = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_inner, at_outer = loss(inner), loss(outer)
    while high - low > 1e-4:
        if at_inner <= at_outer:
            high, outer, at_outer = outer, inner, at_inner
            inner = high - _GOLDEN * (high - low)
            at_inner = loss(inner)
        else:
            low, inner, at_inner = inner, outer, at_outer
            outer = low + _GOLDEN * (high - low)
            at_outer = loss(outer)
    return math.exp((low + high) / 2)
