"""A third task, written from outside: how many things are in this scene? One folder, and one line in `TASKS`."""

from __future__ import annotations

from plait.core.tables import Entry
from plait.data.collection import Collection
from plait.task import Task
from tests.contracts.count.metrics import METRICS


def _serves(kind: str, entry: Entry) -> bool:
    return kind == "fusion" and entry.gives == "grid"


def _recipe_for(collection: Collection) -> str | None:
    return None


TASK = Task(
    name="count",
    summary="say how many things are in a scene",
    metrics=METRICS,
    objective="cross_entropy",
    serves=_serves,
    recipe_for=_recipe_for,
    verb="count",
    work="tests.contracts.count.work:WORK",
    page="tests.contracts.count.show:PAGE",
    terminal="tests.contracts.count.show:TERMINAL",
    card="tests.contracts.count.show:CARD",
    commands=("tests.contracts.count.command:COUNT",),
)
