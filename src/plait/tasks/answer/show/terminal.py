"""Answers in a terminal: figures of a run, and the leaderboard of a comparison with its baselines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plait.report.terminal import board, figure_lines
from plait.task import Terminal
from plait.tasks.answer.metrics import ABLATED, BASELINES, FACTS_REMOVED, METRIC_OF, METRICS, accuracy_key

__all__ = ["TERMINAL"]

_RIGHT = figure_lines(METRICS, ("accuracy", "exact", "top5", "wups_90", "wups_00", "coverage"))
_ABLATED = figure_lines(METRICS, [accuracy_key(kind) for kind in (*ABLATED, FACTS_REMOVED)])
_BASELINES = figure_lines(METRICS, [accuracy_key(kind) for kind in BASELINES])


def _run(metrics: Mapping[str, float]) -> list[str]:
    """Give a run's figures, then what is left without question or image, then answers that need no model."""
    name = METRIC_OF["accuracy"].column
    return [
        *_RIGHT(metrics),
        *(f"{name} with {line}" for line in _ABLATED(metrics)),
        *(f"{name} of {line}" for line in _BASELINES(metrics)),
    ]


def _notes(results: Mapping[str, Any]) -> list[str]:
    """Say of the first run how many answers there are, and why WUPS is missing."""
    found = next((row["answer"] for row in results["rows"] if row.get("answer")), None)
    if found is None:
        return []
    lines = [f"{found['answers']:,} answers; {found['unseen']:,} questions have none of them as their right answer"]
    return lines if found["wups"] == "measured" else [*lines, f"WUPS {found['wups']}"]


TERMINAL = Terminal(
    items="questions",
    run=_run,
    # Baselines need no model, so they are the same for every fusion.
    board=board(
        METRICS,
        items="questions",
        intervals=("accuracy", "exact"),
        means=("wups_90", "wups_00", *(accuracy_key(kind) for kind in (*ABLATED, FACTS_REMOVED)), "coverage"),
        baselines=tuple(accuracy_key(kind) for kind in BASELINES),
        notes=_notes,
    ),
)
