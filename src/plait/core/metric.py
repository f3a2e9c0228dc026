"""What a figure is, said once: its key, its names, its unit and bounds, and what comparisons do with it. No torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

__all__ = ["FEW_IMAGES", "Metric", "metric_table"]

# With fewer images than this, intervals and tests of a figure are rough, and results say so.
FEW_IMAGES = 50


@dataclass(frozen=True)
class Metric:
    """One figure of an evaluation.

    Fields:
        key:       its name in results.json, such as "t2i_r1"
        label:     its name in a sentence: "text-to-image R@1"
        column:    the head of its column, without the unit: "Text → image R@1"
        short:     the same where there is little room; "" = `column`
        meaning:   what the report says it means; "" = nothing
        unit:      "%" or "" (a rank, a count)
        bounds:    the least and the largest value it can have; an end that does not exist is infinite
        higher_is_better: False for ranks and errors
        statistic: how items become the figure: their weighted "mean", or the "median" of all answers
        headline:  a verdict is about the first headline metric, in the task's order, that all runs have
        tested:    differences of fusions in this metric get paired tests
        on_curve:  it is measured after every epoch as well
    """

    key: str
    label: str
    column: str
    short: str = ""
    meaning: str = ""
    unit: str = "%"
    bounds: tuple[float, float] = (0.0, 100.0)
    higher_is_better: bool = True
    statistic: Literal["mean", "median"] = "mean"
    headline: bool = False
    tested: bool = False
    on_curve: bool = False

    @property
    def head(self) -> str:
        """Give the head of its column with the unit: "Text → image R@1 %"."""
        return f"{self.column} {self.unit}".rstrip()

    @property
    def short_head(self) -> str:
        """Give the short head of its column with the unit."""
        return f"{self.short or self.column} {self.unit}".rstrip()


def metric_table(metrics: Iterable[Metric]) -> dict[str, Metric]:
    """Give key -> metric, in the order given."""
    return {metric.key: metric for metric in metrics}
