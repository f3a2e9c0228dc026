"""The figures of classification, in percent; see `plait.metrics.classes` for formulas and empty cases."""

from __future__ import annotations

from plait.core.metric import Metric, metric_table

__all__ = ["ABLATED", "METRICS", "METRIC_OF", "TOP"]

TOP = 3
# What is done to the image to see whether the model reads it; each gives an accuracy of its own.
ABLATED = ("image shuffled", "image removed")

METRICS: tuple[Metric, ...] = (
    Metric(
        key="accuracy",
        label="accuracy",
        column="Accuracy",
        meaning="Share of images whose most probable class is right. A class that training never saw counts as wrong.",
        headline=True,
        tested=True,
        on_curve=True,
    ),
    Metric(
        key="balanced_accuracy",
        label="balanced accuracy",
        column="Balanced accuracy",
        short="balanced",
        meaning="Mean over classes of the share of their images that is right: rare classes count as much as others.",
        tested=True,
    ),
    Metric(
        key="accuracy_top3",
        label=f"accuracy of the first {TOP} classes",
        column=f"In first {TOP}",
        meaning=f"Share of images whose class is among the {TOP} most probable; measured with more classes than that.",
    ),
    Metric(
        key="accuracy_most_common",
        label="accuracy of the most common class",
        column="Most common class",
        meaning="Accuracy of always giving the class that is most common in training: it reads no image.",
    ),
    Metric(
        key="accuracy_image_shuffled",
        label="accuracy with another image",
        column="Accuracy, other image",
        short="other image",
        meaning="Every image's class predicted from another image: what is left was not found in the image.",
    ),
    Metric(
        key="accuracy_image_removed",
        label="accuracy without the image",
        column="Accuracy, no image",
        short="no image",
        meaning="The trained model with all image tokens set to 0.",
    ),
)
METRIC_OF = metric_table(METRICS)
