"""Masks: the region of an image that a phrase refers to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plait.core.tables import Entry
from plait.task import Task
from plait.tasks.mask.metrics import METRICS

if TYPE_CHECKING:
    from plait.data.collection import Collection

__all__ = ["TASK"]


def _serves(kind: str, entry: Entry) -> bool:
    if kind == "fusion":
        return entry.gives in ("grid", "vector")
    return "MaskLogits" in (entry.takes, entry.gives)


def _recipe_for(collection: Collection) -> str | None:
    if not collection.has_masks:
        return None
    return "scenes_mask" if collection.name.startswith("scenes") else "mask_photos"


TASK = Task(
    name="mask",
    summary="find the region of an image that a phrase refers to",
    metrics=METRICS,
    objective="bce_dice",
    serves=_serves,
    recipe_for=_recipe_for,
    verb="mask",
    work="plait.tasks.mask.work:WORK",
    page="plait.tasks.mask.show.page:PAGE",
    terminal="plait.tasks.mask.show.terminal:TERMINAL",
    card="plait.tasks.mask.show.card:CARD",
    commands=("plait.tasks.mask.command:MASK",),
)
