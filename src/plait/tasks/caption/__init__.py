"""Captions: a sentence that says what is in an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plait.core.tables import Entry
from plait.task import Task
from plait.tasks.caption.metrics import METRICS

if TYPE_CHECKING:
    from plait.data.collection import Collection

__all__ = ["TASK"]


def _serves(kind: str, entry: Entry) -> bool:
    if kind == "fusion":
        return entry.gives == "sides"
    return "CaptionLogits" in (entry.takes, entry.gives)


def _recipe_for(collection: Collection) -> str | None:
    return None  # data with captions is for matching unless a recipe says otherwise


TASK = Task(
    name="caption",
    summary="write a sentence about an image",
    metrics=METRICS,
    objective="next_word",
    serves=_serves,
    recipe_for=_recipe_for,
    verb="caption",
    work="plait.tasks.caption.work:WORK",
    page="plait.tasks.caption.show.page:PAGE",
    terminal="plait.tasks.caption.show.terminal:TERMINAL",
    card="plait.tasks.caption.show.card:CARD",
    commands=("plait.tasks.caption.command:CAPTION",),
    functions={"pretrained_captioner": "plait.tasks.caption.pretrained:pretrained_captioner"},
)
