"""Figures of small choices: a batch of pairs scored among themselves, and an image's own caption among a few others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from plait.core.errors import InputError, ShapeError

__all__ = ["BatchFigures", "Choice", "batch_figures", "choose", "printed_accuracy", "printed_probe"]


@dataclass(frozen=True)
class BatchFigures:
    """Figures of a batch of N pairs in which all images are scored with all captions.

    Fields, each (N,) float, one value per pair, to be averaged over pairs and resampled by image:
        accuracy:   100 where the own partner scores highest, the mean of both directions; a tie is shared
        loss:       symmetric cross-entropy in nats; ln N for scores that know nothing
        separation: own score minus the mean of the others, in standard deviations of the others (d')
    """

    accuracy: np.ndarray
    loss: np.ndarray
    separation: np.ndarray


@dataclass(frozen=True)
class Choice:
    """Whether images choose their own caption among K.

    Fields:
        accuracy: (N,) 100 where the own caption scores highest, shared among ties, else 0; chance is 100 / K
        margin:   (N,) own score minus the best other, in standard deviations of the others over all images
    """

    accuracy: np.ndarray
    margin: np.ndarray


def batch_figures(scores: np.ndarray) -> BatchFigures:
    """Measure a batch's pairs among themselves.

    Formula: accuracy_i = 100 * ([s_ii = max_j s_ij] / ties + [s_ii = max_j s_ji] / ties) / 2;
        loss_i = (ln sum_j exp s_ij + ln sum_j exp s_ji) / 2 - s_ii;
        separation_i = (s_ii - mean_{j != i} s_ij) / sd of all s_ij with i != j.

    Shapes: scores (N, N) float in nats (log-odds), row = image, column = caption, diagonal = the pairs; N at least 2.
    Units: adding a constant to all scores changes nothing.
    Undefined when: all wrong scores are equal; then the separation is 0.
    Raises:
        ShapeError: the scores are not square, or N is below 2.
        InputError: a score is not finite.
    Source: the in-batch accuracy of CLIP-style training. Differs: ties are shared instead of going to the first, so
        equal scores give chance, 100 / N, and not 100.
    Example:
        >>> batch_figures(np.zeros((4, 4))).accuracy
        array([25., 25., 25., 25.])
    """
    s = _finite(scores)
    if s.ndim != 2 or s.shape[0] != s.shape[1] or len(s) < 2:
        raise ShapeError(f"scores: expected (N, N) with N at least 2, got {s.shape}")
    own = np.diagonal(s)
    wrong = ~np.eye(len(s), dtype=bool)
    spread = float(s[wrong].std())
    others = (s.sum(1) - own) / (len(s) - 1)
    return BatchFigures(
        accuracy=(_won(s, own) + _won(s.T, own)) / 2,
        loss=(_log_sum_exp(s) + _log_sum_exp(s.T)) / 2 - own,
        separation=(own - others) / spread if spread > 0 else np.zeros(len(s)),
    )


def choose(scores: np.ndarray) -> Choice:
    """Let each image choose among K captions of which the first is its own.

    Formula: accuracy_i = 100 [s_i0 = max_k s_ik] / ties; margin_i = (s_i0 - max_{k > 0} s_ik) / sd of all s_ik, k > 0.

    Shapes: scores (N, K) float, any scale; K at least 2.
    Undefined when: all wrong scores are equal; then the margin is 0.
    Raises:
        ShapeError: not (N, K) with K at least 2 and N at least 1.
        InputError: a score is not finite.
    Source: ours. Differs: from the published five-caption probe (`printed_probe`) in that many images are
        used, a tie is no success, and the margin does not depend on where zero lies.
    """
    s = _finite(scores)
    if s.ndim != 2 or s.shape[1] < 2 or not len(s):
        raise ShapeError(f"scores: expected (N, K) with N at least 1 and K at least 2, got {s.shape}")
    spread = float(s[:, 1:].std())
    gap = s[:, 0] - s[:, 1:].max(1)
    return Choice(_won(s, s[:, 0]), gap / spread if spread > 0 else np.zeros(len(s)))


def printed_probe(scores: np.ndarray, right: int) -> dict[str, Any]:
    """Give the five-caption probe of one image by its published formulas.

    Formula: ratio = first / second, gap = first - second of the scores in falling order; trained_well = the highest is
    the right caption's.

    Shapes: scores (K,) float; right in [0, K).
    Undefined when: the ratio means nothing where the second score is not above 0; then it is None.
    Raises:
        ShapeError: not (K,) with K at least 2, or `right` is none of them.
    Source: Park 2025, Deep Learning DNA, section 10.4.4. Differs: where scores tie at the top `trained_well` is False;
        the source takes the first of equal scores, and so calls a model trained that cannot tell captions apart. One
        image says nothing about a model: `choose` takes many.
    """
    s = _finite(scores)
    if s.ndim != 1 or len(s) < 2 or not 0 <= right < len(s):
        raise ShapeError(f"scores: expected (K,) with K at least 2 and right in [0, K), got {s.shape} and {right}")
    order = np.argsort(-s, kind="stable")
    first, second = float(s[order[0]]), float(s[order[1]])
    return {
        "similarities": [float(v) for v in s],
        "best": int(order[0]),
        "ratio": first / second if second > 0 else None,
        "gap": first - second,
        "trained_well": bool(order[0] == right and first > second),
    }


def printed_accuracy(batches: list[np.ndarray]) -> float:
    """Give the accuracy by the formula of Park 2025, in percent: for the record, never for a result.

    Formula: rows of all batches stacked, the highest column of row r compared with r. Columns are numbered within
    a batch and rows over all, so that only the first batch can ever be right: a perfect model on N rows in batches of n
    scores n / N.

    Shapes: each batch (n, n) float.
    Raises:
        ShapeError: there is no batch.
    """
    if not batches:
        raise ShapeError("expected at least one batch of scores, got none")
    best = np.concatenate([np.asarray(batch).argmax(1) for batch in batches])
    return float(100.0 * (best == np.arange(len(best))).mean())


def _won(scores: np.ndarray, own: np.ndarray) -> np.ndarray:
    top = scores.max(1)
    ties = (scores == top[:, None]).sum(1)
    return np.where(own == top, 100.0 / ties, 0.0)


def _log_sum_exp(scores: np.ndarray) -> np.ndarray:
    top = scores.max(1)
    return np.asarray(top + np.log(np.exp(scores - top[:, None]).sum(1)))


def _finite(scores: np.ndarray) -> np.ndarray:
    s = np.asarray(scores, dtype=np.float64)
    if not np.isfinite(s).all():
        raise InputError("scores: expected finite numbers, got NaN or infinity; the model did not train")
    return s
