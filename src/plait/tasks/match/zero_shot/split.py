"""How well a matching run classifies a labelled split without training for its classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from plait.core.errors import ConfigError, InputError
from plait.data.collection import Collection, keep_photos
from plait.metrics.classes import (
    balanced_weights,
    calibration_error,
    confusion,
    fit_temperature,
    rank_of_truth,
    softmax,
)
from plait.metrics.statistics import bootstrap_interval
from plait.tasks.match.zero_shot.classes import ZeroShot
from plait.train.events import Event, Listener, silent
from plait.train.feed import Feed
from plait.trained import Model, Run

__all__ = ["zero_shot"]

IMAGES_AT_ONCE = 128
TOP = 3


class Runs(Protocol):
    """What this needs of `plait.api`, which is handed down to it."""

    def open_data(self, where: str | Path | Collection, *, limit: int | None = None) -> Collection:
        """Open a data set."""
        ...

    def verify(self, collection: Collection, *, listener: Listener = silent) -> Collection:
        """Leave out images that cannot be read."""
        ...

    def load(self, run: str | Path | Run) -> Model:
        """Load a run, ready for use."""
        ...

    def open_feed(self, run: Run, collection: Collection, *, listener: Listener = silent) -> Feed:
        """Give batches and tokens of a collection for a run's model."""
        ...


def zero_shot(
    api: Runs,
    data: str | Path | Collection,
    *,
    run: str | Path | Run = "default",
    split: str = "test",
    calibrate_on: str | None = "val",
    labels: Sequence[str] | None = None,
    templates: Sequence[str] | None = None,
    limit: int | None = None,
    listener: Listener = silent,
) -> dict[str, Any]:
    """Classify a labelled split with a matching run that was not trained for its classes.

    Arguments:
        data:         images with a class each, as in `fit`
        split:        that is measured
        calibrate_on: another split, whose classes set the temperature; None = the run's own scale is kept
        labels:       the classes to choose from; None = those of the data, in the order of the alphabet
        templates:    see `plait.tasks.match.zero_shot.classes.ZeroShot`
    Returns: {"split", "images", "labels", "templates", "how", "accuracy", "balanced_accuracy" and, with more than 3
        labels, "accuracy_top3" as {"mean", "low", "high"} in percent (95 %, over images), "chance", "most_common":
        {"label", "accuracy"}, "by_template": [{"template", "accuracy"}], "recall", "confusion" (row = truth),
        "temperature", "calibrated_on", "calibration_error" and "calibration_error_before" in percent}.
    Raises:
        InputError: data without classes, a class that the labels lack, or an empty split.
        ConfigError: the run is of another task, or a template has no {}.
    """
    collection = api.verify(api.open_data(data, limit=limit), listener=listener)
    if not collection.has_classes:
        raise InputError(
            f"data {collection.name!r}: expected images with a class each: one folder per class, or labels.csv with "
            "columns image,label"
        )
    if calibrate_on == split:
        raise ConfigError(f"split {split!r} is measured; the temperature is set on another one, or on none")
    parts = {name: collection.photos_of(name) for name in (split, calibrate_on) if name is not None}
    part = keep_photos(collection, {i for members in parts.values() for i in members})
    names = sorted({caption.text for caption in part.captions}) if labels is None else labels
    model = api.load(run)
    classes = ZeroShot(model, names, templates=templates)  # type: ignore[arg-type]  # its own check names the task
    truth = _truth(part, classes.labels)
    feed = api.open_feed(model.run, part, listener=listener)
    measured = _logits(classes, feed, np.array(part.splits[split], dtype=np.int64), listener)
    temperature = 1.0
    if calibrate_on is not None:
        held = np.array(part.splits[calibrate_on], dtype=np.int64)
        temperature = fit_temperature(_logits(classes, feed, held, listener)[0], truth[held])
    own = truth[np.array(part.splits[split], dtype=np.int64)]
    return {
        "split": split,
        "images": len(own),
        "labels": list(classes.labels),
        "templates": list(classes.templates),
        "how": classes.how,
        **_figures(measured[0], own, len(classes.labels)),
        "by_template": [
            {"template": template, "accuracy": 100 * float((values.argmax(axis=1) == own).mean())}
            for template, values in zip(classes.templates, measured[1:], strict=True)
        ],
        "most_common": {
            "label": classes.labels[int(np.bincount(own).argmax())],
            "accuracy": 100 * float(np.bincount(own).max() / len(own)),
        },
        "temperature": temperature,
        "calibrated_on": None
        if calibrate_on is None
        else f"{len(part.splits[calibrate_on]):,} images of {calibrate_on}",
        "calibration_error_before": 100 * calibration_error(softmax(measured[0]), own),
        "calibration_error": 100 * calibration_error(softmax(measured[0], temperature=temperature), own),
    }


def _truth(collection: Collection, labels: Sequence[str]) -> np.ndarray:
    """Give each image's class as its place in the labels: (images,) int64."""
    place = {label.casefold(): number for number, label in enumerate(labels)}
    truth = np.zeros(len(collection.photos), dtype=np.int64)
    for caption in collection.captions:
        if caption.text.casefold() not in place:
            raise InputError(
                f"data {collection.name!r}: an image has the class {caption.text!r}, which the labels lack; add it, or "
                "leave the labels out"
            )
        truth[caption.image] = place[caption.text.casefold()]
    return truth


def _logits(classes: ZeroShot, feed: Feed, images: np.ndarray, listener: Listener) -> list[np.ndarray]:
    """Give the logits of all templates together, then of each alone: (I, K) float32 each."""
    found: list[list[np.ndarray]] = [[] for _ in range(1 + len(classes.templates))]
    for start in range(0, len(images), IMAGES_AT_ONCE):
        with classes.model._precision():
            tokens = feed.encode_images(images[start : start + IMAGES_AT_ONCE])
        found[0].append(classes.logits(tokens).numpy(force=True))
        for place in range(len(classes.templates)):
            found[1 + place].append(classes.logits_of(tokens, place).numpy(force=True))
        listener(Event("step", "classifying", min(start + IMAGES_AT_ONCE, len(images)), len(images)))
    return [np.concatenate(parts) for parts in found]


def _figures(logits: np.ndarray, truth: np.ndarray, count: int) -> dict[str, Any]:
    ranks = rank_of_truth(logits, truth)
    table = confusion(logits.argmax(axis=1), truth, count)
    shown = {
        "accuracy": (100.0 * (ranks == 1), None),
        "balanced_accuracy": (100.0 * (ranks == 1), balanced_weights(truth)),
        **({"accuracy_top3": (100.0 * (ranks <= TOP), None)} if count > TOP else {}),
    }
    figures: dict[str, Any] = {}
    for key, (values, weights) in shown.items():
        found = bootstrap_interval(values, weights=weights, bounds=(0.0, 100.0))
        figures[key] = {"mean": found.mean, "low": found.low, "high": found.high}
    return figures | {
        "chance": 100 / count,
        "recall": [100 * float(table[k, k] / n) if n else None for k, n in enumerate(table.sum(axis=1))],
        "confusion": table.tolist(),
    }
