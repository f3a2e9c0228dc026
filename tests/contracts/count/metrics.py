"""The figures of counting."""

from __future__ import annotations

from plait.core.metric import Metric, metric_table

METRICS = (
    Metric(
        key="accuracy",
        label="counting accuracy",
        column="Right",
        meaning="Share of images whose number of things is right.",
        headline=True,
        tested=True,
        on_curve=True,
    ),
    Metric(key="accuracy_most_common", label="accuracy of the most common number", column="Most common number"),
    Metric(key="accuracy_image_removed", label="accuracy without the image", column="Right, no image"),
)
METRIC_OF = metric_table(METRICS)
