"""What an evaluation measured: figures with the values of each item, so that statistics need no task's name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from plait.core.metric import Metric

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


@dataclass(frozen=True, eq=False)
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
