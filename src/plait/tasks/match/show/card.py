"""Matching in model cards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plait.task import Card

__all__ = ["CARD"]


def _scores(record: Mapping[str, Any]) -> str:
    return f"Scores are {record['score_kind']}: comparable within this model only."


CARD = Card(
    does="It scores how well a photo and an English sentence fit.",
    scores=_scores,
    limits=(
        "rare there (for Flickr8k, which is people, dogs and sports, already a cat or a cup) is often matched with the "
        "wrong sentence, and with high probability. Counting, text in images, names and spatial relations are beyond "
        "it. Probabilities are over the candidates given, so one of them always looks likely, whether it fits or not."
    ),
    metrics=tuple(f"{way}_r{k}" for way in ("t2i", "i2t") for k in (1, 5, 10)),
)
