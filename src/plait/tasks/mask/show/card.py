"""Masks in model cards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plait.task import Card
from plait.tasks.mask.metrics import miou_key

__all__ = ["CARD"]


def _scores(record: Mapping[str, Any]) -> str:
    details = record["mask"]
    return f"A pixel counts from probability {details['threshold']:.2f} on, chosen on {details['threshold_on']}."


CARD = Card(
    does="It marks the pixels of a photo that an English phrase refers to.",
    scores=_scores,
    limits=(
        "rare there is often marked wrongly, and with high probability. The model does not tell a phrase whose subject "
        "is not in the photo from one whose subject is: it may mark something all the same. Outlines are as coarse as "
        "the decoder's grid."
    ),
    metrics=("miou", "oiou", miou_key("text shuffled"), miou_key("mean mask")),
)
