"""Captions in model cards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plait.task import Card
from plait.tasks.caption.metrics import baseline_key

__all__ = ["CARD"]


def _scores(record: Mapping[str, Any]) -> str:
    details = record["caption"]
    words, decoding = details["vocabulary"], details["decoding"]
    return (
        f"Captions are written by a beam of {decoding['beam']} with length penalty {decoding['length_penalty']:g}, "
        f"from {words['words']:,} words that occur {words['min_count']} times or more among the training captions; "
        f"these are {words['covered']:.1f} % of the words of the captions measured on."
    )


CARD = Card(
    does="It writes an English sentence about a photo.",
    scores=_scores,
    limits=(
        "rare there is often named wrongly, in a fluent sentence. The model says what captions of its training set "
        "say: their  subjects, their habits and their prejudices. It knows no names, and cannot count or read reliably."
    ),
    metrics=(
        "cider_d",
        "bleu_4",
        "rouge_l",
        baseline_key("cider_d", "nearest"),
        baseline_key("cider_d", "other_image"),
    ),
)
