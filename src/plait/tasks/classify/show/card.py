"""Classes in model cards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plait.task import Card

__all__ = ["CARD"]


def _scores(record: Mapping[str, Any]) -> str:
    details = record["classify"]
    return (
        f"A probability over {len(details['classes'])} classes; its calibration error was "
        f"{details['calibration_error']:.1f} %."
    )


CARD = Card(
    does="It says which of the classes of its training images a photo shows.",
    scores=_scores,
    limits=(
        "rare there is often named wrongly, and with high probability. A photo that shows none of the classes, or "
        "several, gets one all the same."
    ),
    metrics=("accuracy", "balanced_accuracy", "accuracy_most_common", "accuracy_image_shuffled"),
)
