"""Figures of masks under their names in the literature, scores of constant masks, and what each image adds.

A mask is scored at the image's own size, pixel by pixel. Every figure is about the region that the text refers to. The
score of the background, which covers most of an image, is high for any mask and is never given.

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
    """What each image adds to each metric, for resampling images.

    Every metric equals `sum(values * weights) / sum(weights)`. For oIoU, a ratio of sums over all images, `values` is
    its linear part: the ratio itself plus by how much the image moves it up or down. Its weighted mean is the ratio
    exactly, and resampling it gives the ratio's spread to first order.

    Fields:
        values:  metric name -> (I,) float64, percent
        weights: (I,) int64, how many masks each image has
    """

    values: dict[str, np.ndarray]
    weights: np.ndarray


def overlap_of(predicted: np.ndarray, truth: np.ndarray) -> Overlap:
    """Count the pixels that two stacks of masks share.

    Shapes:
        predicted, truth: (M, H, W) bool
        returns:          Overlap of M masks, in pixels
    Raises:
        ShapeError: the two differ in shape, or are not stacks.
        InputError: a mask is not bool, so which pixels it marks would be a guess.
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
    """Give the overlaps of a mask that marks every pixel, or none.

    Its IoU is the truth's share of the image, or 0: the first baseline of a model. Where masks are read with the wrong
    polarity, marking every pixel scores 0.9 and more.

    Shapes:
        true:    (M,) int, pixels of each true region
        pixels:  (M,) int, pixels of each image
        returns: Overlap of M masks
    """
    true, pixels = np.asarray(true, dtype=np.int64), np.asarray(pixels, dtype=np.int64)
    if foreground:
        return Overlap(true, pixels, pixels, true)
    return Overlap(np.zeros_like(true), true, np.zeros_like(true), true)


def mask_metrics(overlap: Overlap, boundary: np.ndarray | None = None) -> dict[str, float]:
    """Give every figure of a set of masks, under its key in results.json.

    Formula: over M masks with intersection i, union u, areas a and b:
        miou = mean(i / u);  oiou = sum(i) / sum(u);  pX = share of masks with i / u >= X / 100;
        dice = mean(2 i / (a + b));  boundary_f = mean of `boundary_f`.
    miou weighs every mask the same, oiou every pixel, so that large objects dominate it. Papers call either "IoU";
    both are given.

    Shapes:
        overlap:  of M masks
        boundary: (M,) float in [0, 1], or None to leave boundary_f out
    Units: percent.
    Undefined when: there is no mask, which is an error. A mask's IoU and Dice are 1 where truth and prediction are both
        empty; oiou is 100 where all are.
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
    """Split every figure into what each image adds, because masks of one image are not independent.

    Shapes:
        overlap:  of M masks
        owner:    (M,) int, the image of each mask, numbered from 0 without gaps
        boundary: (M,) float in [0, 1], or None
        returns:  contributions of I images
    Raises:
        InputError: there is no mask, or an image's number has no mask.
        ShapeError: lengths differ.
    Relations: weighted means equal `mask_metrics`; a test checks it.
    """
    masks = len(overlap.both)
    if not masks:
        raise InputError("masks: expected at least one to measure, got none; is the split empty?")
    for name, given in (("owner", owner), ("boundary", boundary)):
        if given is not None and given.shape != (masks,):
            raise ShapeError(f"{name}: expected one number for each of {masks} masks, got shape {given.shape}")
    weights = np.bincount(owner)
    if (weights == 0).any():
        raise InputError(f"owner: image {int((weights == 0).argmax())} has no mask; number the images without gaps")

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
    """Give the linear part of 100 sum(both) / sum(either), image by image."""
    total = float(overlap.either.sum())
    if not total:
        return np.full(len(weights), 100.0)
    ratio = float(overlap.both.sum()) / total
    pull = np.bincount(owner, weights=overlap.both - ratio * overlap.either) / weights
    result: np.ndarray = 100.0 * (ratio + pull * len(owner) / total)
    return result


def boundary_of(mask: np.ndarray) -> np.ndarray:
    """Mark the pixels of a region that have a neighbour (left, right, above or below) outside it.

    The edge of the image is not a boundary: the region may continue beyond it.

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
    """Measure how well outlines agree, to which the IoU of large objects is not sensitive.

    Formula: precision = share of the prediction's boundary pixels within r of one of the truth's; recall = the same
    with the two exchanged; F = 2 precision recall / (precision + recall), 0 where both are 0;
    r = ceil(tolerance * diagonal) pixels.

    Shapes:
        predicted, truth: (H, W) bool
        returns:          in [0, 1]
    Units: `tolerance` as a share of the image's diagonal: 7 pixels at 640 x 480.
    Undefined when: a mask has no boundary, because it is empty or the whole image. Then 1 if both masks are equal,
        else 0.
    Raises:
        ShapeError: the two differ in size.
        ConfigError: the tolerance is not above 0.
    Source: Perazzi et al. 2016 (DAVIS), F. Differs: boundaries lie on the region's own pixels, and distances are exact;
    there they come from dilation with a disk.
    """
    if predicted.shape != truth.shape or truth.ndim != 2:
        raise ShapeError(f"boundary F: expected two masks (H, W) of one size, got {predicted.shape} and {truth.shape}")
    if not tolerance > 0:
        raise ConfigError(f"boundary F, tolerance: expected a share of the diagonal above 0, got {tolerance}")
    ours, theirs = boundary_of(predicted), boundary_of(truth)
    if not ours.any() or not theirs.any():
        return float(bool((predicted == truth).all()))
    reach = math.ceil(tolerance * math.hypot(*truth.shape))
    precision, recall = _share_near(ours, theirs, reach), _share_near(theirs, ours, reach)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _share_near(points: np.ndarray, others: np.ndarray, reach: int) -> float:
    """Give the share of points that have one of the others within `reach` pixels."""
    y, x = np.nonzero(points)
    # Running sums along padded rows: the others within w columns of x on row y are a difference of two of them.
    counted = np.pad(others, ((reach, reach), (reach + 1, reach))).cumsum(1, dtype=np.int32)
    near = np.zeros(len(y), dtype=bool)
    for step in range(-reach, reach + 1):
        w = math.isqrt(reach * reach - step * step)
        row = y + reach + step
        near |= counted[row, x + reach + 1 + w] > counted[row, x + reach - w]
    return float(near.mean())
