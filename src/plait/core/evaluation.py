"""What an evaluation measured: figures with the values of each item, so that statistics need no task's name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from plait.core.metric import Metric
from plait.core.show import data_frame, html_table

__all__ = ["Evaluation", "Measured"]


@dataclass(frozen=True, eq=False)
class Measured:
    """One metric, measured.

    Fields:
        metric:  which
        value:   the figure
        items:   statistic "mean": (I,) float, what each image adds; "median": (Q,) float, the value of each answer
        weights: statistic "mean": (I,) float >= 0, how many answers each image has; else None
        owner:   statistic "median": (Q,) int64, the image (0 to I - 1) each answer belongs to; else None
    """

    metric: Metric
    value: float
    items: np.ndarray
    weights: np.ndarray | None = None
    owner: np.ndarray | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """What a model scored on a split, whatever the task.

    Fields:
        split:      its name
        images:     (I,) indices of the images into the collection, in the order of the items
        captions:   indices of the captions (phrases, questions) into the collection
        measured:   the figures, in the order tables show them
        score_kind: what the model's numbers are: "cosine", "logit", "probability", ...
        flags:      what must be said with every number, such as "leaky"
        details:    what else the task's report shows, as plain data; kept in the run's record under the task's name
        eval_s:     seconds from tokens to figures
        answers:    what the task's gallery needs (scores, masks); never saved
    """

    split: str
    images: tuple[int, ...]
    captions: tuple[int, ...]
    measured: tuple[Measured, ...]
    score_kind: str
    flags: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    eval_s: float = 0.0
    answers: Any = None

    def __repr__(self) -> str:
        """Say in one line what was measured; `metrics` gives every figure."""
        headline = [one for one in self.measured if one.metric.headline or one.metric.tested] or self.measured
        figures = ", ".join(f"{one.metric.key} {one.value:.1f}" for one in list(headline)[:4])
        flags = f"; flags: {', '.join(self.flags)}" if self.flags else ""
        return f"Evaluation(split {self.split}, {len(self.images):,} images: {figures}{flags})"

    def _repr_html_(self) -> str:
        rows = [[one.metric.head, one.value] for one in self.measured]
        title = f"split {self.split}: {len(self.images):,} images, {len(self.captions):,} captions"
        note = f"flags: {', '.join(self.flags)}" if self.flags else ""
        return html_table(title, rows, header=["metric", "value"], note=note)

    def to_frame(self) -> Any:
        """Give a pandas DataFrame with one row per value: metric, image (index into the collection), value, weight.

        A metric whose figure is a median has one value per answer, all others have one per image; the figure of a mean
        is the mean of its values under their weights.

        Raises:
            MissingPackageError: pandas is not installed.
        """
        columns: dict[str, list[Any]] = {"metric": [], "image": [], "value": [], "weight": []}
        images = np.asarray(self.images)
        for one in self.measured:
            count = len(one.items)
            columns["metric"] += [one.metric.key] * count
            columns["image"] += (images if one.owner is None else images[one.owner]).tolist()
            columns["value"] += np.asarray(one.items, dtype=float).tolist()
            columns["weight"] += [1.0] * count if one.weights is None else np.asarray(one.weights, float).tolist()
        return data_frame(columns)

    @property
    def metrics(self) -> dict[str, float]:
        """Give key -> figure."""
        return {one.metric.key: one.value for one in self.measured}

    def __getitem__(self, key: str) -> Measured:
        """Give one measured metric by its key. Raises KeyError."""
        for one in self.measured:
            if one.metric.key == key:
                return one
        raise KeyError(key)
