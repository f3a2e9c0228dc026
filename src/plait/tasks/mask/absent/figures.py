"""What is measured of phrases that are not in the image, beside what refusing them costs on those that are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plait.core.evaluation import Measured
from plait.metrics.auroc import auroc_contributions, balanced_threshold
from plait.metrics.mask_counts import overlap_at
from plait.metrics.statistics import bootstrap_interval
from plait.tasks.mask.absent.pairs import AbsentCounts
from plait.tasks.mask.counting import AS_TRAINED, MaskCounts
from plait.tasks.mask.metrics import METRIC_OF

__all__ = ["Split", "absent_figures", "choose_presence"]

# In percent. On scenes a score of 55, well above guessing by its interval, refused 65 % of the present phrases.
LEAST_AUROC = 70.0
RESAMPLES = 2000


@dataclass(frozen=True)
class Split:
    """Images and captions of a split that are measured.

    Fields:
        images:   (I,) int64, sorted
        captions: (C,) int64
        owner:    (C,) int64 in [0, I), the image of each caption
        weights:  (I,) int64, captions of each image
    """

    images: np.ndarray
    captions: np.ndarray
    owner: np.ndarray
    weights: np.ndarray

    def averaged(self, values: np.ndarray) -> np.ndarray:
        """Average the values of each image's captions, in percent: (C,) -> (I,)."""
        found: np.ndarray = 100.0 * np.bincount(self.owner, weights=values, minlength=len(self.images)) / self.weights
        return found


def choose_presence(present: MaskCounts, absent: AbsentCounts, image_of: np.ndarray) -> float | None:
    """Choose the probability below which a phrase is said to be absent; None: nothing can be said.

    Present and absent phrases count the same (`balanced_threshold`). Only phrases with an absent pair are used, so that
    both groups hold the same phrases. Nothing can be said without a presence head or an absent pair, or where the
    head tells the two apart poorly: the 95 % interval, over images, of its area under the ROC curve reaches below
    `LEAST_AUROC`. The best threshold of a poor score may refuse most of what is there.

    Shapes: image_of (C,) int64, the image of each caption that was counted.
    """
    if present.presence is None or absent.presence is None or not len(absent):
        return None
    own, others = present.presence[absent.phrase], absent.presence
    images, place = np.unique(np.concatenate([image_of[absent.phrase], absent.image]), return_inverse=True)
    items = auroc_contributions(own, others, owners=(place[: len(own)], place[len(own) :]), images=len(images))
    if bootstrap_interval(items, resamples=RESAMPLES, bounds=(0.0, 100.0)).low < LEAST_AUROC:
        return None
    return balanced_threshold(own, others)


def absent_figures(
    split: Split,
    present: MaskCounts,
    absent: AbsentCounts,
    *,
    thresholds: tuple[float, float],
    presence_threshold: float | None,
) -> list[Measured]:
    """Measure presence, what is marked of absent phrases, and what remains of present ones.

    Areas under the ROC curve compare the absent pairs with the pairs of the same phrases that belong together, so that
    a model that reads the phrase alone scores 50 up to chance. Items are by image; an absent pair counts for the image
    it was shown with.

    Arguments:
        thresholds:         of the masks, and of the mean mask
        presence_threshold: below it a phrase is refused and nothing is marked; None = nothing is refused
    Returns: the figures in the order of `METRICS`; none where there is no absent pair.
    """
    if not len(absent):
        return []
    images = len(split.images)
    holder = np.searchsorted(split.images, absent.image)
    owners = (split.owner[absent.phrase], holder)
    measured: list[Measured] = []

    def area(key: str, positive: np.ndarray, negative: np.ndarray) -> None:
        items = auroc_contributions(positive, negative, owners=owners, images=images)
        measured.append(Measured(METRIC_OF[key], float(items.mean()), items, np.ones(images)))

    def share(key: str, values: np.ndarray) -> None:
        """Average over absent pairs, by the image that they were shown with."""
        weights = np.bincount(holder, minlength=images)
        items = 100.0 * np.bincount(holder, weights=values, minlength=images) / np.maximum(weights, 1)
        measured.append(Measured(METRIC_OF[key], float(items @ weights / weights.sum()), items, weights))

    def own(key: str, values: np.ndarray) -> None:
        items = split.averaged(values)
        measured.append(
            Measured(METRIC_OF[key], float(items @ split.weights / split.weights.sum()), items, split.weights)
        )

    present_said = _accepted(present.presence, presence_threshold, len(split.captions))
    absent_said = _accepted(absent.presence, presence_threshold, len(absent))
    overlap = overlap_at(present.by_kind[AS_TRAINED], thresholds[0])
    # Nothing is marked of a refused phrase: right where its true region is empty, else without overlap.
    iou = np.where(present_said, overlap.iou(), overlap.true == 0)
    painted = _painted(absent.counts, thresholds[0])
    if present.presence is not None and absent.presence is not None:
        area("presence_auroc", present.presence[absent.phrase], absent.presence)
    area("presence_auroc_mask", present.highest[absent.phrase], absent.highest)
    own("miou_answered", iou)
    own("present_refused", ~present_said)
    share("absent_area", painted * absent_said)
    share("absent_marked", (painted > 0) & absent_said)
    share("absent_area_mask", painted)
    share("absent_marked_mask", painted > 0)
    if absent.mean_mask is not None:
        share("absent_area_mean_mask", _painted(absent.mean_mask, thresholds[1]))
    return measured


def _accepted(presence: np.ndarray | None, threshold: float | None, count: int) -> np.ndarray:
    """Tell which phrases are not refused: (count,) bool."""
    return np.ones(count, dtype=bool) if presence is None or threshold is None else presence >= threshold


def _painted(counts: np.ndarray, threshold: float) -> np.ndarray:
    """Give the marked share of each image: counts (A, 2, BINS) -> (A,) float in [0, 1]."""
    found: np.ndarray = overlap_at(counts, threshold).predicted / counts.sum((1, 2))
    return found
