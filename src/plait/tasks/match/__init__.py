"""Matching: how well an image and a text belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plait.core.tables import Entry
from plait.task import Task
from plait.tasks.match.metrics import METRICS

if TYPE_CHECKING:
    from plait.data.collection import Collection

__all__ = ["TASK"]


def _serves(kind: str, entry: Entry) -> bool:
    if kind == "fusion":
        return bool(entry.pairings)
    return "MatchScores" in (entry.takes, entry.gives)


def _recipe_for(collection: Collection) -> str | None:
    if collection.has_masks or collection.has_answers:
        return None
    return "scenes" if collection.name.startswith("scenes") else "photos"


TASK = Task(
    name="match",
    summary="score how well images and texts belong together; find one by the other",
    metrics=METRICS,
    objective="infonce",
    serves=_serves,
    recipe_for=_recipe_for,
    verb="match",
    work="plait.tasks.match.work:WORK",
    page="plait.tasks.match.show.page:PAGE",
    terminal="plait.tasks.match.show.terminal:TERMINAL",
    card="plait.tasks.match.show.card:CARD",
    functions={
        "probe": "plait.tasks.match.probe:probe",
        "zero_shot": "plait.tasks.match.zero_shot.split:zero_shot",
    },
    commands=(
        "plait.tasks.match.command:MATCH",
        "plait.tasks.match.command:PROBE",
        "plait.tasks.match.zero_shot.command:ZERO_SHOT",
    ),
)
