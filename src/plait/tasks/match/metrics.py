"""The figures of matching. Recalls are in percent; see `plait.metrics.retrieval` for formulas, ties and empty cases."""

from __future__ import annotations

import math

from plait.core.metric import Metric, metric_table

__all__ = ["METRICS", "METRIC_OF"]

_RECALL = {
    "t2i": "Share of captions whose image is among the first k images. In percent, higher is better.",
    "i2t": "Share of images with at least one of their captions among the first k. In percent, higher is better.",
}
_WORDS = {
    "t2i": ("text-to-image", "Text → image", "t→i"),
    "i2t": ("image-to-text", "Image → text", "i→t"),
}


def _direction(way: str) -> tuple[Metric, ...]:
    label, column, short = _WORDS[way]
    first = Metric(
        key=f"{way}_r1",
        label=f"{label} R@1",
        column=f"{column} R@1",
        short=f"{short} R@1",
        meaning=_RECALL[way],
        headline=way == "t2i",
        tested=True,
        on_curve=True,
    )
    return (
        first,
        Metric(key=f"{way}_r5", label=f"{label} R@5", column=f"{column} R@5", short=f"{short} R@5"),
        Metric(key=f"{way}_r10", label=f"{label} R@10", column=f"{column} R@10", short=f"{short} R@10"),
        Metric(
            key=f"{way}_median_rank",
            label=f"{label} median rank",
            column=f"{column} median rank",
            short=f"{short} median rank",
            meaning="Middle rank of the first right answer; 1 is best.",
            unit="",
            bounds=(1.0, math.inf),
            higher_is_better=False,
            statistic="median",
        ),
        Metric(
            key=f"{way}_map",
            label=f"{label} mAP",
            column=f"{column} mAP",
            short=f"{short} mAP",
            meaning="Mean average precision over all right answers, in percent.",
        ),
        Metric(
            key=f"{way}_r1_towers",
            label=f"{label} R@1 of its own towers",
            column=f"{column} R@1, own towers",
            meaning="R@1 of the towers' order, which the fused head re-ranks.",
        ),
        Metric(
            key=f"{way}_r1_gain",
            label=f"{label} R@1 gained over its own towers",
            column=f"{column} R@1, gain over own towers",
            meaning="What the fused head adds: R@1 minus that of its own towers, on the same images under the same "
            "seed. The interval is of the paired difference.",
            bounds=(-100.0, 100.0),
        ),
        Metric(
            key=f"{way}_r1_fused",
            label=f"{label} R@1 of the fused head alone",
            column=f"{column} R@1, fused head alone",
            meaning="R@1 where the fused head orders the towers' candidates alone.",
        ),
        Metric(
            key=f"{way}_r1_random",
            label=f"{label} R@1 of a random order",
            column=f"{column} R@1, random order of candidates",
            meaning="R@1 where nothing orders the towers' candidates: the expectation over all orders.",
        ),
    )


METRICS: tuple[Metric, ...] = (
    Metric(
        key="binding_accuracy",
        label="binding accuracy",
        column="Binding",
        meaning="How often an image scores its true caption above one with a single fact changed. Chance is 50 %.",
        headline=True,
        tested=True,
    ),
    *_direction("t2i"),
    *_direction("i2t"),
    Metric(
        key="t2i_agreement",
        label="agreement with caption similarity",
        column="Agreement",
        meaning="Rank correlation, per caption, of its scores for the other images with how alike their captions are "
        "(weighted words in common). 0 is chance: the order of near misses, which recall does not see.",
        unit="",
        bounds=(-1.0, 1.0),
    ),
)
METRIC_OF = metric_table(METRICS)
