"""Evaluate classes on a split: accuracy, what is left without the right image, confusions, calibration."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from plait.audit.ablation import emptied
from plait.core.config import Recipe
from plait.core.errors import InputError
from plait.core.evaluation import Evaluation, Measured
from plait.metrics.classes import balanced_weights, calibration_error, confusion, rank_of_truth, softmax
from plait.metrics.statistics import paired_difference
from plait.nn.precision import autocast_context, resolve_precision
from plait.task import Progress
from plait.tasks.classify.learner import ClassLearner
from plait.tasks.classify.metrics import METRIC_OF, METRICS, TOP
from plait.tasks.classify.targets import class_numbers

if TYPE_CHECKING:
    from plait.train.feed import Feed

__all__ = ["IGNORES_IMAGE", "NEW_CLASSES", "ClassAnswers", "evaluate_classes"]

IGNORES_IMAGE = "ignores the image"
NEW_CLASSES = "classes missing from training"
IMAGES_AT_ONCE = 256
FALL_RESAMPLES = 4000


@dataclass(frozen=True, eq=False)
class ClassAnswers:
    """What the gallery needs of an evaluation.

    Fields:
        probabilities: (I, K) float64
        truth:         (I,) int64, -1 = a class that training never saw
    """

    probabilities: np.ndarray
    truth: np.ndarray


@torch.no_grad()
def evaluate_classes(
    learner: ClassLearner,
    feed: Feed,
    recipe: Recipe,
    *,
    split: str,
    limit: int | None = None,
    known: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Predict the class of every image of a split and compare it with the true one.

    Arguments:
        limit: only so many images, spread over the split because sets are often in the order of their classes, and
               accuracy alone
        known: `details` of an earlier evaluation: its most common class of training is used
    Returns: an `Evaluation` whose `answers` are `ClassAnswers`. Its details hold "classes", "confusion" (row = truth),
    "recall" (one per class, None where the split has no image of it), "most_common", "new_classes" (with their number
    of images), "calibration_error" and "fall_without_image", all as plain data.
    Raises:
        InputError: the split holds no image with a class.
    """
    began = time.perf_counter()
    images, rows = _measured(feed, split, limit)
    truth = class_numbers(feed.collection, learner.classes)[rows]
    logits, blind = _logits(learner, feed, recipe, images, whole=limit is None, progress=progress)
    ranks = rank_of_truth(logits, truth)
    probabilities = softmax(logits)
    right = 100.0 * (ranks == 1)
    items = {"accuracy": right}
    details: dict[str, Any] = {}
    flags: tuple[str, ...] = ()
    if limit is None:
        most_common = _most_common(learner, feed, known)
        items |= {
            "balanced_accuracy": right,
            **({"accuracy_top3": 100.0 * (ranks <= TOP)} if len(learner.classes) > TOP else {}),
            "accuracy_most_common": 100.0 * (truth == learner.classes.index(most_common)),
            "accuracy_image_shuffled": 100.0 * (logits.argmax(axis=1)[_others(len(images))] == truth),
            "accuracy_image_removed": 100.0 * (blind.argmax(axis=1) == truth),
        }
        details = _details(learner, feed, rows, truth, probabilities) | {"most_common": most_common}
        fall = paired_difference(right, items["accuracy_image_shuffled"], resamples=FALL_RESAMPLES)
        details["fall_without_image"] = {"difference": fall.difference, "low": fall.low, "high": fall.high}
        flags = (*((IGNORES_IMAGE,) if fall.low <= 0 else ()), *((NEW_CLASSES,) if details["new_classes"] else ()))
    return Evaluation(
        split=split,
        images=tuple(int(i) for i in images),
        captions=tuple(int(i) for i in rows),
        measured=tuple(_as_measured(metric.key, items[metric.key], truth) for metric in METRICS if metric.key in items),
        score_kind="probability",
        flags=flags,
        details=details,
        eval_s=time.perf_counter() - began,
        answers=ClassAnswers(probabilities, truth),
    )


def _measured(feed: Feed, split: str, limit: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Give the split's images that have a class, and the first caption of each, which names it: (I,) and (I,) int64."""
    members = np.array(feed.collection.splits[split], dtype=np.int64)
    captions = np.flatnonzero(np.isin(feed.image_of, members))
    images, first = np.unique(feed.image_of[captions], return_index=True)
    if not len(images):
        raise InputError(f"data {feed.collection.name!r}: split {split!r} holds no image with a class")
    rows = captions[first]
    if limit is not None and limit < len(images):
        kept = np.linspace(0, len(images) - 1, limit).round().astype(np.int64)
        images, rows = images[kept], rows[kept]
    return images, rows


def _logits(
    learner: ClassLearner,
    feed: Feed,
    recipe: Recipe,
    images: np.ndarray,
    *,
    whole: bool,
    progress: Progress | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Give logits (I, K) with the images as they are and, where the evaluation is whole, with none."""
    was_training = learner.training
    learner.eval()
    found: list[np.ndarray] = []
    blind: list[np.ndarray] = []
    done = 0
    try:
        with autocast_context(resolve_precision(recipe.train.precision, feed.device.type), feed.device):
            for start in range(0, len(images), IMAGES_AT_ONCE):
                tokens = feed.encode_images(images[start : start + IMAGES_AT_ONCE])
                found.append(learner.logits(tokens).values.float().numpy(force=True))
                if whole:
                    blind.append(learner.logits(emptied(tokens)).values.float().numpy(force=True))
                done += len(tokens)
                if progress is not None:
                    progress(done, len(images))
    finally:
        learner.train(was_training)
    logits = np.concatenate(found)
    return logits, np.concatenate(blind) if blind else logits


def _others(count: int) -> np.ndarray:
    """Give every image another one, by one ring through all: (I,) int64; an image alone keeps itself."""
    order = np.random.default_rng(0).permutation(count)
    other = np.empty(count, dtype=np.int64)
    other[order] = np.roll(order, 1)
    return other


def _most_common(learner: ClassLearner, feed: Feed, known: Mapping[str, Any] | None) -> str:
    """Name the most common class of training; where the feed has no training images, the one that was found then."""
    if known and known.get("most_common") in learner.classes:
        return str(known["most_common"])
    train = set(feed.collection.splits.get("train", ()))
    numbers = class_numbers(feed.collection, learner.classes)
    seen = [number for number, image in zip(numbers, feed.image_of, strict=True) if int(image) in train and number >= 0]
    return learner.classes[int(np.bincount(seen).argmax())] if seen else learner.classes[0]


def _details(
    learner: ClassLearner, feed: Feed, rows: np.ndarray, truth: np.ndarray, probabilities: np.ndarray
) -> dict[str, Any]:
    table = confusion(probabilities.argmax(axis=1), truth, len(learner.classes))
    count = table.sum(axis=1)
    new: dict[str, int] = {}
    for row in rows[truth < 0]:
        name = feed.collection.captions[int(row)].answers[0]
        new[name] = new.get(name, 0) + 1
    return {
        "classes": list(learner.classes),
        "confusion": table.tolist(),
        "recall": [100.0 * float(table[k, k] / n) if n else None for k, n in enumerate(count)],
        "new_classes": new,
        "calibration_error": 100.0 * calibration_error(probabilities, truth),
    }


def _as_measured(key: str, values: np.ndarray, truth: np.ndarray) -> Measured:
    weights = balanced_weights(truth) if key == "balanced_accuracy" else np.ones(len(values))
    return Measured(METRIC_OF[key], float(np.average(values, weights=weights)), values, weights=weights)
