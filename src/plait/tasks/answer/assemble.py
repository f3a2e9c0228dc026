"""From a recipe to a learner of answers: which fusions, heads and objectives serve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plait.build import check_objective, make_fusion, make_head, make_objective, tokens_seen
from plait.core.config import Recipe
from plait.core.errors import ConfigError
from plait.core.tables import Entry, check_options, load_entry, look_up
from plait.fusion import FUSIONS
from plait.heads import HEADS
from plait.model import FusionModel, Side
from plait.nn.pooling import single_token
from plait.objectives import OBJECTIVES
from plait.task import Use
from plait.tasks.answer import TASK
from plait.tasks.answer.answers import FACT_OPTIONS, LIST_OPTIONS, list_options
from plait.tasks.answer.facts import FactMemory, as_facts
from plait.tasks.answer.learner import AnswerLearner

__all__ = ["assemble", "use_of"]

HEAD = "answer"


def use_of(recipe: Recipe) -> Use:
    """Say how the recipe's fusion is used for answers, before anything is loaded.

    Raises:
        ConfigError: an unknown name or option of the head; a fusion, head or objective that does not serve answers; a
            pairing.
    """
    settings = recipe.fusion
    _check_serves("fusion", FUSIONS, settings.name)
    if settings.pairing not in ("", "own"):
        raise ConfigError(
            f"fusion.pairing {settings.pairing!r} compares images with captions; an answer is read from a question and "
            "its own image: leave fusion.pairing out"
        )
    name = str(settings.head.get("name", HEAD))
    _check_serves("head", HEADS, name)
    list_options(settings.head)
    check_options("head", name, load_entry(HEADS[name]), _head_options(settings.head))
    objective = recipe.objective.name or TASK.objective
    _check_serves("objective", OBJECTIVES, objective)
    check_objective(objective, recipe.objective.options)
    return Use({"tokens": tokens_seen(settings), "pairing": "own", "rerank_k": None})


def assemble(recipe: Recipe, text: Side, image: Side) -> AnswerLearner:
    """Join the sides with fusion, head and objective; weights are drawn in this order.

    Raises:
        ConfigError: as `use_of`, an unknown option, or a list of fewer than two answers.
    """
    use_of(recipe)
    settings = recipe.fusion
    fusion = make_fusion(settings.name, settings.options, width=settings.width)
    head = make_head(str(settings.head.get("name", HEAD)), _head_options(settings.head), settings.width)
    model = FusionModel(
        text, image, fusion=fusion, head=head, pool=single_token if settings.tokens == "pooled" else None
    )
    objective = make_objective(recipe.objective.name or TASK.objective, recipe.objective.options)
    facts = as_facts(settings.head.get("facts", ()))
    memory = FactMemory(settings.width, hops=settings.head.get("hops", 1)) if facts else None
    return AnswerLearner(model, objective, facts=facts, memory=memory)


def _head_options(head: Mapping[str, Any]) -> dict[str, Any]:
    """Give the options of the head itself, without its name and those of list and facts."""
    return {key: value for key, value in head.items() if key != "name" and key not in (*LIST_OPTIONS, *FACT_OPTIONS)}


def _check_serves(kind: str, table: Mapping[str, Entry], name: str) -> None:
    if not TASK.serves(kind, look_up(kind, table, name)):
        fitting = ", ".join(other for other, entry in table.items() if TASK.serves(kind, entry))
        raise ConfigError(f"{kind} {name!r} does not serve task {TASK.name!r}; these do: {fitting}")
