"""The metrics of scores whose answer is known: a perfect model's, and the worst one's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plait.metrics.retrieval import retrieval_metrics

__all__ = ["MetricSelfTest", "metric_self_test"]


@dataclass(frozen=True)
class MetricSelfTest:
    """What the metrics give for known scores.

    Fields:
        perfect: every metric of scores that are 1 for true pairs and 0 for others; all but the ranks must be 100
        worst:   likewise of scores that are 0 for true pairs and 1 for others; R@1 must be 0
    """

    perfect: dict[str, float]
    worst: dict[str, float]

    @property
    def passed(self) -> bool:
        """Whether the metrics give what they must."""
        best = all(value == (1.0 if name.endswith("median_rank") else 100.0) for name, value in self.perfect.items())
        return best and self.worst["t2i_r1"] == self.worst["i2t_r1"] == 0.0


def metric_self_test(caption_row: np.ndarray, images: int) -> MetricSelfTest:
    """Measure identity scores and their opposite on a split's own shape.

    A metric that compares the best of one batch's columns with row numbers of the whole set, as some published code
    does, gives a perfect model some 0.3 % here.

    Shapes: caption_row (C,) int in [0, images), the image of each caption.
    """
    perfect = (np.arange(images)[:, None] == caption_row[None]).astype(np.float32)
    return MetricSelfTest(retrieval_metrics(perfect, caption_row), retrieval_metrics(1 - perfect, caption_row))
