"""Masks by counting: one histogram of probabilities per mask gives its overlap at every threshold, and calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plait.core.errors import ShapeError

__all__ = ["BINS", "THRESHOLDS", "Overlap", "best_threshold", "calibration", "count", "overlap_at"]

BINS = 50
# Thresholds that can be chosen: steps of 0.02, never 0 (everything) nor 1 (nothing).
THRESHOLDS = tuple(k / BINS for k in range(1, BINS))


@dataclass(frozen=True)
class Overlap:
    """Pixels that predicted and true regions share.

    Fields:
        both:      (M,) in both
        either:    (M,) in at least one
        predicted: (M,) in the prediction
        true:      (M,) in the truth
    """

    both: np.ndarray
    either: np.ndarray
    predicted: np.ndarray
    true: np.ndarray

    def iou(self) -> np.ndarray:
        """Give |P and T| / |P or T|: (M,) in [0, 1]; 1 where both are empty: the prediction is right."""
        return np.where(self.either > 0, self.both / np.maximum(self.either, 1), 1.0)

    def dice(self) -> np.ndarray:
        """Give 2 |P and T| / (|P| + |T|): (M,) in [0, 1]; 1 where both are empty."""
        total = self.predicted + self.true
        return np.where(total > 0, 2 * self.both / np.maximum(total, 1), 1.0)


def count(probability: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Count a mask's pixels by truth and probability.

    Shapes:
        probability: (H, W) float in [0, 1]
        truth:       (H, W) bool
        returns:     (2, BINS) int64; row 0 counts background pixels, row 1 foreground; bin k holds [k, k + 1) / BINS
    Raises:
        ShapeError: the two differ in size.
    """
    if probability.shape != truth.shape:
        raise ShapeError(f"expected a probability for each pixel of the mask {truth.shape}, got {probability.shape}")
    # A float32 probability of 0.58 times 50 may come out as 28.999999: half a thousandth of a bin corrects that.
    place = np.minimum((probability * BINS + 5e-4).astype(np.int64), BINS - 1)
    return np.bincount((place + BINS * truth).ravel(), minlength=2 * BINS).reshape(2, BINS)


def overlap_at(counts: np.ndarray, threshold: float) -> Overlap:
    """Give the overlaps of predictions "probability >= threshold": counts (M, 2, BINS), threshold of `THRESHOLDS`."""
    first = round(threshold * BINS)
    both = counts[:, 1, first:].sum(1)
    true = counts[:, 1].sum(1)
    predicted = both + counts[:, 0, first:].sum(1)
    return Overlap(both, predicted + true - both, predicted, true)


def best_threshold(counts: np.ndarray) -> float:
    """Give the threshold whose mean IoU over masks is highest, the one nearest 0.5 where several are.

    Shapes: counts (M, 2, BINS) int64, M of at least 1.
    """
    means = [(float(overlap_at(counts, t).iou().mean()), -abs(t - 0.5), t) for t in THRESHOLDS]
    return max(means)[2]


def calibration(counts: np.ndarray, *, bins: int = 10) -> list[dict[str, float]]:
    """Give, for each span of probabilities that occurs, how often its pixels are foreground.

    Shapes: counts (M, 2, BINS) int64; bins divides BINS. Returns: {"low", "high", "share", "pixels"} per span, shares
    in [0, 1]; every pixel of the split counts the same.
    """
    total = counts.sum(0).reshape(2, bins, -1).sum(2)
    pixels = total.sum(0)
    return [
        {"low": k / bins, "high": (k + 1) / bins, "share": float(total[1, k] / pixels[k]), "pixels": int(pixels[k])}
        for k in range(bins)
        if pixels[k]
    ]
