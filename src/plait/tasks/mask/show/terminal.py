"""Masks in a terminal: figures of a run, and the leaderboard of a comparison with its baselines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plait.report.terminal import board, figure_lines
from plait.task import Terminal
from plait.tasks.mask.metrics import ABLATED, CONSTANT, METRIC_OF, METRICS, miou_key

__all__ = ["TERMINAL"]

_OVERLAP = figure_lines(METRICS, ("miou", "oiou", "p50", "p70", "p90", "dice", "boundary_f"))
_ABLATED = figure_lines(METRICS, [miou_key(kind) for kind in ABLATED])
_CONSTANT = figure_lines(METRICS, [miou_key(kind) for kind in CONSTANT])


def _run(metrics: Mapping[str, float]) -> list[str]:
    """Give a run's figures, then what is left without text or image, then what constant masks score."""
    name = METRIC_OF["miou"].column
    return [
        *_OVERLAP(metrics),
        *(f"{name} with {line}" for line in _ABLATED(metrics)),
        *(f"{name} of {line}" for line in _CONSTANT(metrics)),
    ]


def _notes(results: Mapping[str, Any]) -> list[str]:
    chosen = next((row["mask"] for row in results["rows"] if row.get("mask")), None)
    return [f"thresholds chosen on {chosen['threshold_on']}"] if chosen else []


TERMINAL = Terminal(
    items="masks",
    run=_run,
    # Baselines read nothing, so they are the same for every fusion, but for the threshold of the mean mask.
    board=board(
        METRICS,
        items="masks",
        intervals=("miou", "oiou"),
        means=("p50", "boundary_f", *(miou_key(kind) for kind in ABLATED)),
        baselines=tuple(miou_key(kind) for kind in CONSTANT),
        notes=_notes,
    ),
)
