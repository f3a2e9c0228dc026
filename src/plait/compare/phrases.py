"""Numbers and lists in words, as a verdict says them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plait.compare.ranking import Gap
from plait.core.metric import Metric

__all__ = [
    "MOST_NAMES",
    "amount",
    "bare_amount",
    "certainty",
    "chance",
    "counted",
    "estimate",
    "interval",
    "joined",
    "number",
    "points",
    "size_range",
    "sizes",
    "some_of",
    "spread",
]

# More names than this, where they are all there are, say less than their number.
MOST_NAMES = 7


def amount(size: float, metric: Metric) -> str:
    """Show a size with its unit."""
    return f"{bare_amount(size)}{points(metric)}"


def bare_amount(size: float) -> str:
    """Show a size with one decimal, or with one digit where that would be 0.0."""
    return f"{size:.1f}" if size >= 0.05 or size == 0 else f"{size:.1g}"


def points(metric: Metric) -> str:
    """Name the unit of a difference: " points" of percentages, else nothing."""
    return " points" if metric.unit == "%" else ""


def sizes(gaps: list[Gap], metric: Metric) -> str:
    """Say how large the differences of several tests are: "1.2 to 3.4 points"."""
    least, most = (bare_amount(end(gap.size for gap in gaps)) for end in (min, max))
    return f"{least if least == most else f'{least} to {most}'}{points(metric)}"


def size_range(gaps: list[Gap], metric: Metric) -> str:
    """Say how large the differences of several tests are, and in which metric."""
    if metric.unit == "%":
        return f"{sizes(gaps, metric)} of {metric.label}"
    return f"{sizes(gaps, metric)} in {metric.label}" + ("" if metric.higher_is_better else " (lower is better)")


def certainty(gap: Gap) -> str:
    """Give a test's interval and p-value."""
    return f"{interval(gap)}, {chance(gap)}"


def interval(gap: Gap) -> str:
    """Give a test's interval."""
    return f"95 % interval {number(gap.low)} to {number(gap.high)}"


def chance(gap: Gap) -> str:
    """Give a test's p-value, and whether it is corrected."""
    p = "p < 0.001" if gap.p < 0.001 else f"p = {gap.p:.3f}" if gap.p < 0.1 else f"p = {gap.p:.2f}"
    return f"{p}{' after Holm' if gap.is_corrected else ''}"


def number(value: float) -> str:
    """Show a number with one decimal and a true minus."""
    return f"{value:.1f}".replace("-", "−") if round(value, 1) != 0 else "0.0"


def estimate(entry: Mapping[str, Any], metric: Metric) -> str:
    """Give a fusion's mean of a metric with its interval."""
    cell = entry[metric.key]
    text = f"{cell['mean']:.1f} % of {metric.label}" if metric.unit == "%" else f"{metric.label} {cell['mean']:.1f}"
    if cell.get("low") is None or cell.get("high") is None:
        return text
    return f"{text} (95 % interval {cell['low']:.1f} to {cell['high']:.1f})"


def spread(seeds: Sequence[int]) -> str:
    """Say how many seeds there are, or from how many to how many."""
    least, most = min(seeds), max(seeds)
    return counted(least, "seed") if least == most else f"{least} to {most} seeds"


def counted(number: int, what: str) -> str:
    """Give a number with what it counts: "1 seed", "3 seeds"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def some_of(names: Sequence[str]) -> str:
    """Name fusions, or say how many there are."""
    return joined(names) if len(names) <= MOST_NAMES else f"any of {len(names)} others"


def joined(names: Sequence[str]) -> str:
    """Join names: "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
