"""Matching in a terminal: figures of a run, and the leaderboard of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plait.report.terminal import board, figure_lines
from plait.task import Terminal
from plait.tasks.match.metrics import METRICS

__all__ = ["TERMINAL"]


def _pairing(entry: Mapping[str, Any]) -> str:
    depth = entry.get("rerank_k")
    return f"{entry.get('pairing', '')} k={depth}" if depth else str(entry.get("pairing", ""))


TERMINAL = Terminal(
    items="captions",
    run=figure_lines(
        METRICS,
        ("t2i_r1", "t2i_r5", "t2i_r10", "t2i_median_rank"),
        ("i2t_r1", "i2t_r5", "i2t_r10", "i2t_median_rank"),
        ("t2i_r1_towers", "t2i_r1_gain", "i2t_r1_towers", "i2t_r1_gain"),
        ("binding_accuracy",),
    ),
    board=board(
        METRICS,
        items="captions",
        intervals=("binding_accuracy", "t2i_r1", "i2t_r1"),
        columns={"pairing": _pairing},
    ),
)
