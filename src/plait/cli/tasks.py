"""Looking up metrics and tasks without naming one."""

from __future__ import annotations

from collections.abc import Sequence

from plait.core.metric import Metric
from plait.task import Task
from plait.tasks import all_tasks

__all__ = ["metric_of", "shown_keys", "task_of"]


def metric_of(key: str) -> Metric:
    """Give the metric of a key of results; one that no task knows goes by its key, without a unit."""
    for task in all_tasks():
        for metric in task.metrics:
            if metric.key == key:
                return metric
    return Metric(key=key, label=key, column=key, unit="")


def task_of(metrics: Sequence[Metric]) -> Task | None:
    """Give the task that an evaluation's metrics belong to."""
    return next((task for task in all_tasks() if any(metric in task.metrics for metric in metrics)), None)


def shown_keys() -> list[str]:
    """Give the keys of the figures that a line of progress shows: those that verdicts name or comparisons test."""
    keys = (metric.key for task in all_tasks() for metric in task.metrics if metric.headline or metric.tested)
    return list(dict.fromkeys(keys))
