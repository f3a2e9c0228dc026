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
from plait.tasks.mask.absent.figures import Split, absent_figures
from plait.tasks.mask.absent.pairs import count_absent, draw_absent
from plait.tasks.mask.counting import AS_TRAINED, MaskCounts, MaskReader, count_masks
from plait.tasks.mask.learner import MaskLearner, eval_mode
from plait.tasks.mask.metrics import ABLATED, CONSTANT, METRIC_OF, miou_key
from plait.tasks.mask.threshold import Choice, choose

if TYPE_CHECKING:
    from plait.train.feed import Feed

__all__ = ["IGNORES_TEXT", "MaskAnswers", "evaluate_masks", "fall_of", "members_of"]

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
class _Found:
    """The figures, and the parts of the `Evaluation` beside them."""

    measured: list[Measured]
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
    with another image's text, the curves of threshold and calibration, the numbers of empty true masks and of absent
    phrases. These are drawn from the split's own phrases, one per phrase where some image of the split is known to lack
    its subject, with a fixed seed; where there is none, the figures about them are left out.
    Raises:
        InputError: the split holds no caption, or a mask cannot be read.
        ConfigError: no split is left to choose a threshold on.
    """
    began = time.perf_counter()
    members = members_of(feed, split, limit)
    reader = MaskReader(learner, feed, resolve_precision(recipe.train.precision, feed.device.type))
    with eval_mode(learner.model):
        if limit is not None:
            found = _curve_point(reader, members)
        else:
            choice = choose(reader, split) if known is None else Choice.known(known)
            found = _full(reader, members, choice, progress=progress)
    return Evaluation(
        split=split,
        images=tuple(int(i) for i in members.images),
        captions=tuple(int(i) for i in members.captions),
        measured=tuple(found.measured),
        score_kind="probability",
        flags=found.flags,
        details=found.details,
        eval_s=time.perf_counter() - began,
        answers=found.answers,
    )


def members_of(feed: Feed, split: str, limit: int | None) -> Split:
    """Give a split's first images that have captions, and all captions of these; `limit` None = all.

    Raises:
        InputError: there is no caption.
    """
    images = np.array(feed.collection.splits[split][:limit], dtype=np.int64)
    captions = np.flatnonzero(np.isin(feed.image_of, images))
    if not len(captions):
        raise InputError(
            f"data {feed.collection.name!r}: split {split!r} holds no caption; there is nothing to measure"
        )
    with_captions, owner = np.unique(feed.image_of[captions], return_inverse=True)
    return Split(with_captions, captions, owner, np.bincount(owner))


def _curve_point(reader: MaskReader, split: Split) -> _Found:
    counts = count_masks(reader, split.captions).by_kind[AS_TRAINED]
    threshold = best_threshold(counts)
    iou = overlap_at(counts, threshold).iou()
    details = {"threshold": threshold, "threshold_on": "what is measured"}
    return _Found(_as_measured(split, {"miou": split.averaged(iou)}), details, (), MaskAnswers(iou, threshold))


def _full(reader: MaskReader, split: Split, choice: Choice, *, progress: Callable[[int, int], None] | None) -> _Found:
    mean_mask = np.array(choice.mean_mask, dtype=np.float32)
    counts = count_masks(
        reader,
        split.captions,
        kinds=(AS_TRAINED, *ABLATED),
        threshold=choice.threshold,
        mean_mask=mean_mask,
        progress=progress,
    )
    overlap = overlap_at(counts.by_kind[AS_TRAINED], choice.threshold)
    by_image = _figures(split, counts, overlap, choice)
    absent = count_absent(reader, split.captions, draw_absent(reader.feed, split.captions), mean_mask=mean_mask)
    measured = _as_measured(split, by_image) + absent_figures(
        split,
        counts,
        absent,
        thresholds=(choice.threshold, choice.mean_mask_threshold),
        presence_threshold=choice.presence_threshold,
    )
    fall = fall_of(by_image["miou"], by_image[miou_key("text shuffled")], split.weights)
    details = {
        **choice.to_json(),
        "absent_phrases": len(absent),
        "fall_without_text": fall,
        **_curves(counts.by_kind[AS_TRAINED], overlap),
    }
    flags = (IGNORES_TEXT,) if fall["low"] <= 0 else ()
    return _Found(measured, details, flags, MaskAnswers(overlap.iou(), choice.threshold))


def _figures(split: Split, counts: MaskCounts, overlap: Overlap, choice: Choice) -> dict[str, np.ndarray]:
    """Give what each image adds to each figure, key -> (I,), in the order of `METRICS`."""
    by_image = dict(mask_contributions(overlap, split.owner, boundary=counts.boundary).values)
    for kind in (*ABLATED, *CONSTANT):
        threshold = choice.mean_mask_threshold if kind == "mean mask" else choice.threshold
        by_image[miou_key(kind)] = split.averaged(overlap_at(counts.by_kind[kind], threshold).iou())
    return by_image


def fall_of(trained: np.ndarray, ablated: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """Give by how much mIoU falls under an ablation, with its 95 % interval.

    Shapes: trained, ablated (I,) float, percent, of each image; weights (I,), captions of each.
    """
    fall = paired_difference(trained, ablated, weights=weights, resamples=FALL_RESAMPLES)
    return {"difference": fall.difference, "low": fall.low, "high": fall.high}


def _curves(counts: np.ndarray, overlap: Overlap) -> dict[str, Any]:
    """Give mIoU by threshold, calibration, and how many true masks are empty, as plain data."""
    return {
        "by_threshold": [{"threshold": t, "miou": 100 * float(overlap_at(counts, t).iou().mean())} for t in THRESHOLDS],
        "calibration": calibration(counts),
        "empty_masks": int((overlap.true == 0).sum()),
    }


def _as_measured(split: Split, by_image: Mapping[str, np.ndarray]) -> list[Measured]:
    weights = split.weights
    return [
        Measured(METRIC_OF[key], float(values @ weights / weights.sum()), values, weights)
        for key, values in by_image.items()
    ]
