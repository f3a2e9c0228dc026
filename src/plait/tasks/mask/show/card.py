"""Masks in model cards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plait.task import Card
from plait.tasks.mask.metrics import miou_key

__all__ = ["CARD"]


def _scores(record: Mapping[str, Any]) -> str:
    details = record["mask"]
    pixels = f"A pixel counts from probability {details['threshold']:.2f} on, chosen on {details['threshold_on']}."
    if details.get("presence_threshold") is None:
        return (
            f"{pixels} Whether a phrase's subject is in the photo at all is not known: it marks something all the same."
        )
    return (
        f"{pixels} A phrase counts as present from probability {details['presence_threshold']:.2f} on, chosen on "
        f"{details['presence_on']}; below it nothing is marked."
    )


CARD = Card(
    does="It marks the pixels of a photo that an English phrase refers to.",
    scores=_scores,
    limits=(
        "rare there is often marked wrongly, and with high probability. Presence, where it is given, was learned from "
        "the words of the training data alone: for other phrases it may be wrong. Outlines are as coarse as the "
        "decoder's grid."
    ),
    metrics=(
        *("miou", "oiou", miou_key("text shuffled"), miou_key("mean mask")),
        *("presence_auroc", "miou_answered", "absent_area"),
    ),
)
