"""From a recipe to a learner of classes: its class list, and which fusions, heads and objectives serve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from plait.build import make_fusion, make_head, make_objective, tokens_seen
from plait.core.config import Recipe
from plait.core.errors import ConfigError, InputError
from plait.core.tables import Entry, look_up
from plait.data.collection import Collection
from plait.fusion import FUSIONS
from plait.heads import HEADS
from plait.model import FusionModel, Side
from plait.nn.pooling import single_token
from plait.objectives import OBJECTIVES
from plait.task import Use
from plait.tasks.classify import TASK
from plait.tasks.classify.learner import ClassLearner

__all__ = ["assemble", "fill_in", "use_of"]

HEAD, CLASSES = "class", "classes"


def use_of(recipe: Recipe) -> Use:
    """Say how the recipe's fusion is used for classes, before anything is loaded.

    Raises:
        ConfigError: an unknown name, a fusion, head or objective that does not serve, or a pairing.
    """
    settings = recipe.fusion
    _check_serves("fusion", FUSIONS, settings.name)
    if settings.pairing not in ("", "own"):
        raise ConfigError(
            f"fusion.pairing {settings.pairing!r} compares images with captions; a class is read from the image alone: "
            "leave fusion.pairing out"
        )
    _check_serves("head", HEADS, _head_name(settings.head))
    _check_serves("objective", OBJECTIVES, _objective_name(recipe))
    return Use({"tokens": tokens_seen(settings), "pairing": "own", "rerank_k": None})


def fill_in(recipe: Recipe, collection: Collection) -> Recipe:
    """Give the recipe with the classes of the training split, in the order of the alphabet, where it names none.

    Raises:
        InputError: the training split has fewer than two classes, or one that the recipe's list lacks.
    """
    found = sorted({collection.captions[row].answers[0] for row in collection.captions_of("train")})
    if len(found) < 2:
        raise InputError(
            f"data {collection.name!r}: the training split has {len(found)} class(es) ({', '.join(found) or 'none'}); "
            "expected at least two"
        )
    named = recipe.fusion.head.get(CLASSES)
    if named is None:
        return replace(recipe, fusion=replace(recipe.fusion, head={**recipe.fusion.head, CLASSES: found}))
    _check_list(named)
    if lacking := [name for name in found if name not in named]:
        raise InputError(
            f"data {collection.name!r}: the training split has class {lacking[0]!r}, which fusion.head.classes lacks; "
            "add it, or leave the list out"
        )
    return recipe


def assemble(recipe: Recipe, text: Side, image: Side) -> ClassLearner:
    """Join the sides with fusion, head and objective; weights are drawn in this order.

    Raises:
        ConfigError: as `use_of`, an unknown option, or a recipe whose classes are not filled in.
    """
    use_of(recipe)
    settings = recipe.fusion
    options = {key: value for key, value in settings.head.items() if key != "name"}
    model = FusionModel(
        text,
        image,
        fusion=make_fusion(settings.name, settings.options, width=settings.width),
        head=make_head(_head_name(settings.head), options, settings.width),
        pool=single_token if settings.tokens == "pooled" else None,
    )
    classes: Sequence[str] = options.get(CLASSES, ())
    return ClassLearner(model, make_objective(_objective_name(recipe), recipe.objective.options), classes=classes)


def _check_list(named: Any) -> None:
    if not isinstance(named, list | tuple) or not all(isinstance(name, str) for name in named):
        raise ConfigError(f"fusion.head.classes: expected a list of names, got {named!r:.80}")


def _head_name(head: Mapping[str, Any]) -> str:
    return str(head.get("name", HEAD))


def _objective_name(recipe: Recipe) -> str:
    return recipe.objective.name or TASK.objective


def _check_serves(kind: str, table: Mapping[str, Entry], name: str) -> None:
    if not TASK.serves(kind, look_up(kind, table, name)):
        fitting = ", ".join(other for other, entry in table.items() if TASK.serves(kind, entry))
        more = "; the text of such data is the class itself, so no fusion may read it" if kind == "fusion" else ""
        raise ConfigError(f"{kind} {name!r} does not serve task {TASK.name!r}; these do: {fitting}{more}")
