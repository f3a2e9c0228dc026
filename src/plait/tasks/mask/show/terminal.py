"""Masks in a terminal: figures of a run, and the leaderboard of a comparison with its baselines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plait.report.terminal import board, figure_lines
from plait.task import Terminal
from plait.tasks.mask.metrics import ABLATED, ABSENT, CONSTANT, METRIC_OF, METRICS, miou_key

__all__ = ["TERMINAL"]

_OVERLAP = figure_lines(METRICS, ("miou", "oiou", "p50", "p70", "p90", "dice", "boundary_f"))
_ABLATED = figure_lines(METRICS, [miou_key(kind) for kind in ABLATED])
_CONSTANT = figure_lines(METRICS, [miou_key(kind) for kind in CONSTANT])
_ABSENT = figure_lines(METRICS, ABSENT[:4], ABSENT[4:])
# The rest of `ABSENT` is in the report; a terminal is narrow.
_ABSENT_MEANS = ("presence_auroc", "miou_answered", "absent_area", "absent_marked")


def _run(metrics: Mapping[str, float]) -> list[str]:
    """Give a run's figures, what is left without text or image, what constant masks score, and absent phrases."""
    name = METRIC_OF["miou"].column
    return [
        *_OVERLAP(metrics),
        *(f"{name} with {line}" for line in _ABLATED(metrics)),
        *(f"{name} of {line}" for line in _CONSTANT(metrics)),
        *_ABSENT(metrics),
    ]


def _notes(results: Mapping[str, Any]) -> list[str]:
    chosen = next((row["mask"] for row in results["rows"] if row.get("mask")), None)
    if not chosen:
        return []
    presence = []
    if chosen.get("presence_on"):
        verb = "is not told" if chosen.get("presence_threshold") is None else "chosen"
        presence = [f"presence {verb} on {chosen['presence_on']}"]
    return [f"thresholds chosen on {chosen['threshold_on']}", *presence]


TERMINAL = Terminal(
    items="masks",
    run=_run,
    # Baselines read nothing, so they are the same for every fusion, but for the threshold of the mean mask.
    board=board(
        METRICS,
        items="masks",
        intervals=("miou", "oiou"),
        means=("p50", "boundary_f", *(miou_key(kind) for kind in ABLATED), *_ABSENT_MEANS),
        baselines=tuple(miou_key(kind) for kind in CONSTANT),
        notes=_notes,
    ),
)
