"""The order of fusions that a comparison supports: paired tests decide, means where no test does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plait.core.metric import Metric

__all__ = ["Gap", "Gaps", "gaps_of", "mean_of", "ranked"]


@dataclass(frozen=True)
class Gap:
    """A test of two fusions, read in the direction of the metric.

    Fields:
        better, worse:   the fusion that is ahead on the seeds they share, and the other
        size:            by how much, at least 0
        low, high:       interval of the size
        p:               corrected for the number of tests where `is_corrected`
        is_corrected:    whether it is
        distinguishable: whether the test is significant
        seeds:           how many seeds the two share
        images:          how many images were measured; 0 = the results do not say
    """

    better: str
    worse: str
    size: float
    low: float
    high: float
    p: float
    is_corrected: bool
    distinguishable: bool
    seeds: int
    images: int

    def beats(self, name: str) -> bool:
        """Say whether the test shows that the fusion `name` is the worse one."""
        return self.distinguishable and self.worse == name


# the tests of one metric: both fusions -> their gap
Gaps = Mapping[frozenset[str], Gap]


def gaps_of(tests: Sequence[Mapping[str, Any]], metric: Metric, summary: Sequence[Mapping[str, Any]]) -> Gaps:
    """Read the tests of a metric.

    Tests of earlier versions do not say how many seeds they rest on: then it is the smaller number of the two in
    `summary`.
    """
    seeds = {entry["fusion"]: int(entry.get("seeds", 1)) for entry in summary}
    found = {}
    for test in tests:
        if test["metric"] != metric.key:
            continue
        a, b = test["a"], test["b"]
        # sign of (a is ahead): of a - b where higher is better
        sign = 1.0 if (float(test["difference"]) >= 0) == metric.higher_is_better else -1.0
        towards = sign if metric.higher_is_better else -sign
        ends = sorted((towards * float(test["low"]), towards * float(test["high"])))
        found[frozenset((a, b))] = Gap(
            better=a if sign > 0 else b,
            worse=b if sign > 0 else a,
            size=abs(float(test["difference"])),
            low=ends[0],
            high=ends[1],
            p=float(test.get("p_holm", test["p"])),
            is_corrected="p_holm" in test,
            distinguishable=bool(test["distinguishable"]),
            seeds=int(test.get("seeds", min(seeds.get(a, 1), seeds.get(b, 1)))),
            images=int(test.get("photos", 0)),
        )
    return found


def mean_of(entry: Mapping[str, Any], metric: Metric) -> float | None:
    """Give the mean of a metric in an entry of the summary, or None where there is none."""
    cell = entry.get(metric.key)
    mean = cell.get("mean") if isinstance(cell, Mapping) else None
    # NaN is no result either, and it is the one number that does not equal itself
    return None if mean is None or mean != mean else float(mean)


def ranked(means: Mapping[str, float], metric: Metric, gaps: Gaps) -> list[str]:
    """Order fusions so that none comes before one that a test shows to be better.

    Next comes, among those that no remaining fusion beats in a test, the one with the best mean over all its seeds.
    Tests on different seeds can contradict each other (a beats b, b beats c, c beats a); then the best mean among the
    remaining comes next.

    Arguments:
        means: fusion -> its mean of the metric
    """
    remaining = sorted(means, key=lambda name: -means[name] if metric.higher_is_better else means[name])
    order = []
    while remaining:
        unbeaten = [name for name in remaining if not any(_beats(gaps, other, name) for other in remaining)]
        order.append((unbeaten or remaining)[0])
        remaining.remove(order[-1])
    return order


def _beats(gaps: Gaps, one: str, other: str) -> bool:
    gap = gaps.get(frozenset((one, other)))
    return gap is not None and gap.better == one and gap.beats(other)
