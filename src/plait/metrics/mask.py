"""Figures of masks by their names in the literature, what constant masks score, and what each photo adds.

A mask is scored at the photo's own size, pixel by pixel. Every figure counts the region the text speaks of; the score
of the rest of the photo, which covers most of it, says nothing and is never given.

Empty masks, everywhere: predicting nothing where there is nothing scores 1, predicting anything there scores 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from plait.core.errors import ConfigError, InputError, ShapeError
from plait.metrics.mask_counts import Overlap

__all__ = [
    "LEVELS",
    "MaskContributions",
    "boundary_f",
    "boundary_of",
    "constant_overlap",
    "mask_contributions",
    "mask_metrics",
    "overlap_of",
]

# P@X: the share of masks whose IoU reaches X.
LEVELS = (0.5, 0.7, 0.9)


@dataclass(frozen=True)
class MaskContributions:
    """What each photo adds to each metric, for resampling photos.

    Every metric equals `sum(values * weights) / sum(weights)`. For oIoU, a ratio of sums over all photos, `values` is
    its linear part: that of the ratio itself plus how the photo pulls it up or down. Its weighted mean is the ratio
    exactly, and resampling it gives the ratio's spread to first order.

    Fields:
        values:  metric name -> (I,) float64, percent
        weights: (I,) int64, the masks of each photo
    """

    values: dict[str, np.ndarray]
    weights: np.ndarray


def overlap_of(predicted: np.ndarray, truth: np.ndarray) -> Overlap:
    """Count how two stacks of masks lie on each other.

    Shapes:
        predicted, truth: (M, H, W) bool
        returns:          Overlap of M masks, in pixels
    Raises:
        ShapeError: the two differ in shape, or are no stacks.
        InputError: a mask is not bool: which pixels it marks would be a guess.
    """
    if predicted.shape != truth.shape or predicted.ndim != 3:
        raise ShapeError(f"masks: expected two stacks (M, H, W) of one shape, got {predicted.shape} and {truth.shape}")
    for name, mask in (("predicted", predicted), ("true", truth)):
        if mask.dtype != np.bool_:
            raise InputError(
                f"{name} masks: expected bool, True = the region, got {mask.dtype}; compare with a threshold"
            )
    areas = [m.sum((1, 2), dtype=np.int64) for m in (predicted & truth, predicted | truth, predicted, truth)]
    return Overlap(*areas)


def constant_overlap(true: np.ndarray, pixels: np.ndarray, *, foreground: bool) -> Overlap:
    """Give the overlaps of a mask that marks everything, or nothing, without looking.

    Its IoU is the truth's share of the photo, or 0: the first thing a model's score must be held against. Where masks
    are read with the wrong polarity, "everything" scores 0.9 and more.

    Shapes:
        true:    (M,) int, pixels of each true region
        pixels:  (M,) int, pixels of each photo
        returns: Overlap of M masks
    """
    true, pixels = np.asarray(true, dtype=np.int64), np.asarray(pixels, dtype=np.int64)
    if foreground:
        return Overlap(true, pixels, pixels, true)
    return Overlap(np.zeros_like(true), true, np.zeros_like(true), true)


def mask_metrics(overlap: Overlap, boundary: np.ndarray | None = None) -> dict[str, float]:
    """Give every figure of a set of masks, under the names that results.json uses.

    Formula: over M masks with intersection i, union u, areas a and b:
        miou = mean(i / u);  oiou = sum(i) / sum(u);  pX = share of masks with i / u >= X / 100;
        dice = mean(2 i / (a + b));  boundary_f = mean of `boundary_f`.
    miou counts every mask alike, oiou every pixel, so that large objects decide it. Papers call either "IoU"; both are
    given.

    Shapes:
        overlap:  of M masks
        boundary: (M,) float in [0, 1], or None to leave boundary_f out
    Units: percent.
    Undefined when: there is no mask (an error). A mask's IoU and Dice are 1 where truth and prediction are both empty;
        oiou is 100 where all are.
    Raises:
        InputError: there is no mask.
        ShapeError: `boundary` has another length.
    Example:
        >>> mask_metrics(Overlap(*(np.array(v) for v in ([1, 8], [4, 10], [2, 9], [3, 9]))))["oiou"]
        64.28571428571429
    """
    parts = mask_contributions(overlap, np.zeros(len(overlap.both), dtype=np.int64), boundary=boundary)
    return {name: float(values[0]) for name, values in parts.values.items()}


def mask_contributions(overlap: Overlap, owner: np.ndarray, *, boundary: np.ndarray | None = None) -> MaskContributions:
    """Split every figure into what each photo adds: masks of one photo stand or fall together.

    Shapes:
        overlap:  of M masks
        owner:    (M,) int, the photo of each mask, numbered from 0 without gaps
        boundary: (M,) float in [0, 1], or None
        returns:  contributions of I photos
    Raises:
        InputError: there is no mask, or a photo's number has no mask.
        ShapeError: lengths differ.
    Relations: weighted means equal `mask_metrics`; a test holds both.
    """
    masks = len(overlap.both)
    if not masks:
        raise InputError("masks: expected at least one to measure, got none; is the split empty?")
    for name, given in (("owner", owner), ("boundary", boundary)):
        if given is not None and given.shape != (masks,):
            raise ShapeError(f"{name}: expected one number for each of {masks} masks, got shape {given.shape}")
    weights = np.bincount(owner)
    if (weights == 0).any():
        raise InputError(f"owner: photo {int((weights == 0).argmax())} has no mask; number the photos without gaps")

    def mean(values: np.ndarray) -> np.ndarray:
        return 100.0 * np.bincount(owner, weights=values) / weights

    iou = overlap.iou()
    values = {"miou": mean(iou), "oiou": _ratio(overlap, owner, weights)}
    values |= {f"p{round(100 * level)}": mean(iou >= level) for level in LEVELS}
    values["dice"] = mean(overlap.dice())
    if boundary is not None:
        values["boundary_f"] = mean(boundary)
    return MaskContributions(values, weights)


def _ratio(overlap: Overlap, owner: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Give the linear part of 100 sum(both) / sum(either) by photo."""
    total = float(overlap.either.sum())
    if not total:
        return np.full(len(weights), 100.0)
    ratio = float(overlap.both.sum()) / total
    pull = np.bincount(owner, weights=overlap.both - ratio * overlap.either) / weights
    result: np.ndarray = 100.0 * (ratio + pull * len(owner) / total)
    return result


def boundary_of(mask: np.ndarray) -> np.ndarray:
    """Mark the pixels of a region that have one beside, above or below them outside it.

    The photo's edge is no boundary: a region that goes on beyond it does not end there.

    Shapes:
        mask:    (H, W) bool
        returns: (H, W) bool
    """
    edge = np.zeros_like(mask)
    edge[:, 1:] |= ~mask[:, :-1]
    edge[:, :-1] |= ~mask[:, 1:]
    edge[1:] |= ~mask[:-1]
    edge[:-1] |= ~mask[1:]
    return edge & mask


def boundary_f(predicted: np.ndarray, truth: np.ndarray, *, tolerance: float = 0.008) -> float:
    """Measure how well the outline fits: what IoU hardly sees in large objects.

    Formula: precision = share of the prediction's boundary pixels within r of one of the truth's, recall the other way
    round; F = 2 precision recall / (precision + recall), 0 where both are 0. r = ceil(tolerance * diagonal) pixels.

    Shapes:
        predicted, truth: (H, W) bool
        returns:          in [0, 1]
    Units: `tolerance` in parts of the photo's diagonal: 7 pixels at 640 x 480.
    Undefined when: a mask has no boundary, being empty or the whole photo. Then 1 if both masks are equal, else 0.
    Raises:
        ShapeError: the two differ in size.
        ConfigError: the tolerance is not above 0.
    Source: Perazzi et al. 2016 (DAVIS), F. Differs: boundaries lie on the region's own pixels, and distances are exact
    where theirs come from a disk's dilation.
    """
    if predicted.shape != truth.shape or truth.ndim != 2:
        raise ShapeError(f"boundary F: expected two masks (H, W) of one size, got {predicted.shape} and {truth.shape}")
    if not tolerance > 0:
        raise ConfigError(f"boundary F, tolerance: expected a part of the diagonal above 0, got {tolerance}")
    ours, theirs = boundary_of(predicted), boundary_of(truth)
    if not ours.any() or not theirs.any():
        return float(bool((predicted == truth).all()))
    reach = math.ceil(tolerance * math.hypot(*truth.shape))
    precision, recall = _share_near(ours, theirs, reach), _share_near(theirs, ours, reach)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _share_near(points: np.ndarray, others: np.ndarray, reach: int) -> float:
    """Give which share of the points has one of the others at a distance of at most `reach` pixels."""
    y, x = np.nonzero(points)
    # Running sums along padded rows: the others within w columns of x on row y are a difference of two of them.
    counted = np.pad(others, ((reach, reach), (reach + 1, reach))).cumsum(1, dtype=np.int32)
    near = np.zeros(len(y), dtype=bool)
    for step in range(-reach, reach + 1):
        w = math.isqrt(reach * reach - step * step)
        row = y + reach + step
        near |= counted[row, x + reach + 1 + w] > counted[row, x + reach - w]
    return float(near.mean())
