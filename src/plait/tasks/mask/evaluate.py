"""Evaluate masks on a split, at the images' own sizes: figures, what is left without a side, constant masks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from plait.core.config import Recipe
from plait.core.errors import InputError
from plait.core.evaluation import Evaluation, Measured
from plait.metrics.mask import mask_contributions
from plait.metrics.mask_counts import THRESHOLDS, Overlap, best_threshold, calibration, overlap_at
from plait.metrics.statistics import paired_difference
from plait.nn.precision import resolve_precision
from plait.tasks.mask.counting import AS_TRAINED, MaskCounts, MaskReader, count_masks
from plait.tasks.mask.learner import MaskLearner, eval_mode
from plait.tasks.mask.metrics import ABLATED, CONSTANT, METRIC_OF, miou_key
from plait.tasks.mask.threshold import Choice, choose

if TYPE_CHECKING:
    from plait.train.feed import Feed

__all__ = ["IGNORES_TEXT", "MaskAnswers", "evaluate_masks"]

IGNORES_TEXT = "ignores the text"
FALL_RESAMPLES = 4000


@dataclass(frozen=True, eq=False)
class MaskAnswers:
    """What the gallery needs of an evaluation.

    Fields:
        iou:       (C,) float in [0, 1], of each caption's mask
        threshold: a pixel is foreground from this probability on
    """

    iou: np.ndarray
    threshold: float


@dataclass(frozen=True)
class _Measured:
    """Images and captions of a split: images (I,) sorted, captions (C,), owner (C,) in [0, I), weights (I,)."""

    images: np.ndarray
    captions: np.ndarray
    owner: np.ndarray
    weights: np.ndarray

    def averaged(self, values: np.ndarray) -> np.ndarray:
        """Average the values of each image's captions, in percent: (C,) -> (I,)."""
        found: np.ndarray = 100.0 * np.bincount(self.owner, weights=values, minlength=len(self.images)) / self.weights
        return found


@dataclass(frozen=True)
class _Found:
    """What each image adds to each figure, key -> (I,), and the parts of the `Evaluation` beside it."""

    by_image: dict[str, np.ndarray]
    details: dict[str, Any]
    flags: tuple[str, ...]
    answers: MaskAnswers


def evaluate_masks(
    learner: MaskLearner,
    feed: Feed,
    recipe: Recipe,
    *,
    split: str,
    limit: int | None = None,
    known: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Predict the mask of every caption of a split and compare it with the true one at the image's own size.

    A pixel is foreground where its probability reaches the threshold. That is chosen for the best mIoU on the val
    split, or, where val itself is measured, on training captions; the details say on which. Pixels that a crop cut off
    are background.

    Arguments:
        limit: only the split's first images, and mIoU alone, at the threshold that suits these images best: for curves,
               which select nothing. At a fixed 0.5 the curve of a model with low probabilities would stay at 0
        known: `details` of an earlier evaluation: its threshold and mean mask are used, none is chosen
    Returns: an `Evaluation` whose `answers` are `MaskAnswers`. Its details hold what `Choice` holds, the fall of mIoU
    with another image's text, the curves of threshold and calibration, and the number of empty true masks.
    Raises:
        InputError: the split holds no caption, or a mask cannot be read.
        ConfigError: no split is left to choose a threshold on.
    """
    began = time.perf_counter()
    measured = _measured(feed, split, limit)
    reader = MaskReader(learner, feed, resolve_precision(recipe.train.precision, feed.device.type))
    with eval_mode(learner.model):
        if limit is not None:
            found = _curve_point(reader, measured)
        else:
            choice = choose(reader, split) if known is None else Choice.known(known)
            found = _full(reader, measured, choice, progress=progress)
    return Evaluation(
        split=split,
        images=tuple(int(i) for i in measured.images),
        captions=tuple(int(i) for i in measured.captions),
        measured=tuple(_as_measured(key, values, measured.weights) for key, values in found.by_image.items()),
        score_kind="probability",
        flags=found.flags,
        details=found.details,
        eval_s=time.perf_counter() - began,
        answers=found.answers,
    )


def _measured(feed: Feed, split: str, limit: int | None) -> _Measured:
    images = np.array(feed.collection.splits[split][:limit], dtype=np.int64)
    captions = np.flatnonzero(np.isin(feed.image_of, images))
    if not len(captions):
        raise InputError(
            f"data {feed.collection.name!r}: split {split!r} holds no caption; there is nothing to measure"
        )
    with_captions, owner = np.unique(feed.image_of[captions], return_inverse=True)
    return _Measured(with_captions, captions, owner, np.bincount(owner))


def _curve_point(reader: MaskReader, measured: _Measured) -> _Found:
    counts = count_masks(reader, measured.captions).by_kind[AS_TRAINED]
    threshold = best_threshold(counts)
    iou = overlap_at(counts, threshold).iou()
    details = {"threshold": threshold, "threshold_on": "what is measured"}
    return _Found({"miou": measured.averaged(iou)}, details, (), MaskAnswers(iou, threshold))


def _full(
    reader: MaskReader, measured: _Measured, choice: Choice, *, progress: Callable[[int, int], None] | None
) -> _Found:
    counts = count_masks(
        reader,
        measured.captions,
        kinds=(AS_TRAINED, *ABLATED),
        threshold=choice.threshold,
        mean_mask=np.array(choice.mean_mask, dtype=np.float32),
        progress=progress,
    )
    overlap = overlap_at(counts.by_kind[AS_TRAINED], choice.threshold)
    by_image = _figures(measured, counts, overlap, choice)
    fall = _fall_without_text(by_image, measured.weights)
    details = {**choice.to_json(), "fall_without_text": fall, **_curves(counts.by_kind[AS_TRAINED], overlap)}
    flags = (IGNORES_TEXT,) if fall["low"] <= 0 else ()
    return _Found(by_image, details, flags, MaskAnswers(overlap.iou(), choice.threshold))


def _figures(measured: _Measured, counts: MaskCounts, overlap: Overlap, choice: Choice) -> dict[str, np.ndarray]:
    """Give what each image adds to each figure, key -> (I,), in the order of `METRICS`."""
    by_image = dict(mask_contributions(overlap, measured.owner, boundary=counts.boundary).values)
    for kind in (*ABLATED, *CONSTANT):
        threshold = choice.mean_mask_threshold if kind == "mean mask" else choice.threshold
        by_image[miou_key(kind)] = measured.averaged(overlap_at(counts.by_kind[kind], threshold).iou())
    return by_image


def _fall_without_text(by_image: Mapping[str, np.ndarray], weights: np.ndarray) -> dict[str, float]:
    """Give by how much mIoU falls when every image gets the text of another, with its 95 % interval."""
    shuffled = by_image[miou_key("text shuffled")]
    fall = paired_difference(by_image["miou"], shuffled, weights=weights, resamples=FALL_RESAMPLES)
    return {"difference": fall.difference, "low": fall.low, "high": fall.high}


def _curves(counts: np.ndarray, overlap: Overlap) -> dict[str, Any]:
    """Give mIoU by threshold, calibration, and how many true masks are empty, as plain data."""
    return {
        "by_threshold": [{"threshold": t, "miou": 100 * float(overlap_at(counts, t).iou().mean())} for t in THRESHOLDS],
        "calibration": calibration(counts),
        "empty_masks": int((overlap.true == 0).sum()),
    }


def _as_measured(key: str, values: np.ndarray, weights: np.ndarray) -> Measured:
    return Measured(METRIC_OF[key], float(values @ weights / weights.sum()), values, weights)
