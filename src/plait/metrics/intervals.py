"""Intervals of one evaluation: how far its figures may lie from those on other images."""

from __future__ import annotations

import numpy as np

from plait.core.errors import InputError
from plait.core.evaluation import Evaluation, Measured
from plait.core.metric import Metric
from plait.metrics.statistics import Interval, bootstrap_interval, bootstrap_median

__all__ = ["interval_of", "intervals"]


def intervals(evaluation: Evaluation) -> dict[str, dict[str, float]]:
    """Give the 95 % bootstrap interval over images of every figure: key -> {"mean", "low", "high"}."""
    return {one.metric.key: _as_json(_interval(one)) for one in evaluation.measured}


def interval_of(metric: Metric, items: np.ndarray, beside: np.ndarray | None) -> Interval:
    """Give the 95 % interval of a metric from its items: a weighted mean or a median, cut to the metric's bounds.

    Shapes:
        items:  (I,) or (S, I) float for a mean, (Q,) or (S, Q) for a median, one row per seed
        beside: (I,) float weights, equal when None; or (Q,) int, the image that each answer belongs to
    Raises:
        InputError: a median without owners; and as `bootstrap_interval`.
    """
    if metric.statistic == "mean":
        return bootstrap_interval(items, weights=beside, bounds=metric.bounds)
    if beside is None:
        raise InputError(f"metric {metric.key!r}: a median needs the image that each answer belongs to, got none")
    return bootstrap_median(items, beside, bounds=metric.bounds)


def _interval(one: Measured) -> Interval:
    return interval_of(one.metric, one.items, one.weights if one.metric.statistic == "mean" else one.owner)


def _as_json(found: Interval) -> dict[str, float]:
    return {"mean": found.mean, "low": found.low, "high": found.high}
