"""Answers in model cards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plait.task import Card
from plait.tasks.answer.metrics import accuracy_key

__all__ = ["CARD"]


def _scores(record: Mapping[str, Any]) -> str:
    return (
        f"Probabilities are over the {record['answer']['answers']:,} answers of its list, so one of them always looks "
        "likely, whether the question fits the photo or not."
    )


CARD = Card(
    does="It answers an English question about a photo with one of the answers of its training questions.",
    scores=_scores,
    limits=(
        "rare there is often answered wrongly, and with high probability. An answer that no training question has is "
        "never given. The question alone gives many answers away: see the accuracy without the image."
    ),
    metrics=(
        "accuracy",
        "exact",
        "coverage",
        accuracy_key("image removed"),
        accuracy_key("image shuffled"),
        accuracy_key("per type"),
    ),
)
