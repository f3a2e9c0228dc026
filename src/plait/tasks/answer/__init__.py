"""Answers: what is right to say to a question about an image, chosen from a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plait.core.tables import Entry
from plait.task import Task
from plait.tasks.answer.metrics import METRICS

if TYPE_CHECKING:
    from plait.data.collection import Collection

__all__ = ["TASK"]


def _serves(kind: str, entry: Entry) -> bool:
    if kind == "fusion":
        if entry.pairings == ("all",):  # it gives vectors to be compared by their cosine, not to be read together
            return False
        # A control without the text gives the text as it came, which the head would read.
        return entry.gives == "pair" or (entry.gives == "grid" and entry.family != "control")
    return "AnswerLogits" in (entry.takes, entry.gives)


def _recipe_for(collection: Collection) -> str | None:
    # Where every text is its own answer, it is the name of the image's class.
    if not collection.has_answers or all(caption.answers == (caption.text,) for caption in collection.captions):
        return None
    return "scenes_answer" if collection.name.startswith("scenes") else "answer"


TASK = Task(
    name="answer",
    summary="answer a question about an image, from the answers of the training questions",
    metrics=METRICS,
    objective="answer_ce",
    serves=_serves,
    recipe_for=_recipe_for,
    verb="answer",
    work="plait.tasks.answer.work:WORK",
    page="plait.tasks.answer.show.page:PAGE",
    terminal="plait.tasks.answer.show.terminal:TERMINAL",
    card="plait.tasks.answer.show.card:CARD",
    commands=("plait.tasks.answer.command:ANSWER",),
    head_data="plait.tasks.answer.answers:head_data",
)
