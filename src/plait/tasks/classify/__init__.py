"""Classification: which of a list of classes an image shows, by a head that is trained on images with a class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plait.core.tables import Entry
from plait.task import Task
from plait.tasks.classify.metrics import METRICS

if TYPE_CHECKING:
    from plait.data.collection import Collection

__all__ = ["TASK"]


def _serves(kind: str, entry: Entry) -> bool:
    if kind == "fusion":
        # The text of an image with a class is the class itself, so nothing that reads it may be trained.
        return entry.family == "control" and entry.gives in ("grid", "image")
    return "ClassLogits" in (entry.takes, entry.gives)


def _recipe_for(collection: Collection) -> str | None:
    return "classify" if collection.has_classes else None


TASK = Task(
    name="classify",
    summary="say which of a list of classes an image shows",
    metrics=METRICS,
    objective="class_cross_entropy",
    serves=_serves,
    recipe_for=_recipe_for,
    verb="classify",
    work="plait.tasks.classify.work:WORK",
    page="plait.tasks.classify.show.page:PAGE",
    terminal="plait.tasks.classify.show.terminal:TERMINAL",
    card="plait.tasks.classify.show.card:CARD",
    commands=("plait.tasks.classify.command:CLASSIFY",),
    functions={"classify_files": "plait.tasks.classify.files:classify_files"},
)
