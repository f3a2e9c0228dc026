"""Classes in a terminal: figures of a run, and the leaderboard of a comparison with its baseline."""

from __future__ import annotations

from collections.abc import Mapping

from plait.report.terminal import board, figure_lines
from plait.task import Terminal
from plait.tasks.classify.metrics import METRICS

__all__ = ["TERMINAL"]

_ACCURACY = figure_lines(METRICS, ("accuracy", "balanced_accuracy", "accuracy_top3"))
_ABLATED = figure_lines(METRICS, ("accuracy_most_common", "accuracy_image_shuffled", "accuracy_image_removed"))


def _run(metrics: Mapping[str, float]) -> list[str]:
    """Give a run's figures, then what is reached without reading the right image."""
    return [*_ACCURACY(metrics), *(f"accuracy of {line}" for line in _ABLATED(metrics))]


TERMINAL = Terminal(
    items="images",
    run=_run,
    board=board(
        METRICS,
        items="images",
        intervals=("accuracy", "balanced_accuracy"),
        means=("accuracy_top3", "accuracy_image_shuffled", "accuracy_image_removed"),
        baselines=("accuracy_most_common",),
    ),
)
