"""Captions in a terminal: the figures of a run, and the leaderboard of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plait.report.terminal import board, figure_lines
from plait.task import Terminal
from plait.tasks.caption.metrics import BASELINES, METRICS, baseline_key

__all__ = ["TERMINAL"]


def _notes(results: Mapping[str, Any]) -> Sequence[str]:
    """Name the runs that say the same of every photo, with how many captions they have."""
    rows = [row for row in results["rows"] if ((row.get("caption") or {}).get("variety") or {}).get("says_the_same")]
    return [f"{row['fusion']}, seed {row['seed']} {row['caption']['variety']['sentence']}" for row in rows]


TERMINAL = Terminal(
    items="captions",
    run=figure_lines(
        METRICS,
        ("cider_d", "bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l"),
        ("distinct", "same", "words"),
        tuple(baseline_key("cider_d", kind) for kind in BASELINES),
    ),
    board=board(
        METRICS,
        items="captions",
        intervals=("cider_d", "bleu_4"),
        means=("rouge_l", "distinct", "words", baseline_key("cider_d", "other_image")),
        baselines=(baseline_key("cider_d", "most_common"), baseline_key("cider_d", "nearest")),
        notes=_notes,
    ),
)
