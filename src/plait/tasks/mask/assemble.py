"""From a recipe to a learner of masks: which fusions, heads and objectives serve, and which head reads which fusion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from plait.build import check_objective, make_fusion, make_head, make_objective, tokens_seen
from plait.core.config import FusionSettings, Recipe
from plait.core.errors import ConfigError
from plait.core.tables import Entry, look_up
from plait.fusion import FUSIONS
from plait.heads import HEADS
from plait.heads.presence import PresenceHead
from plait.model import FusionModel, Side
from plait.nn.pooling import single_token
from plait.objectives import OBJECTIVES
from plait.objectives.mask import MaskLoss
from plait.task import Use
from plait.tasks.mask import TASK
from plait.tasks.mask.learner import MaskLearner

__all__ = ["assemble", "use_of"]

GRID_HEAD, VECTOR_HEAD = "spatial", "vector"


def use_of(recipe: Recipe) -> Use:
    """Say how the recipe's fusion is used for masks, before anything is loaded.

    Raises:
        ConfigError: an unknown name; a fusion, head or objective that does not serve masks; a pairing; a head that
            needs a grid where the fusion leaves none.
    """
    settings = recipe.fusion
    _check_serves("fusion", FUSIONS, settings.name)
    if settings.pairing not in ("", "own"):
        raise ConfigError(
            f"fusion.pairing {settings.pairing!r} compares images with captions; a mask is read from a text and its "
            "own image: leave fusion.pairing out"
        )
    _head_name(settings)
    _check_serves("objective", OBJECTIVES, _objective_name(recipe))
    check_objective(_objective_name(recipe), recipe.objective.options)
    return Use({"tokens": tokens_seen(settings), "pairing": "own", "rerank_k": None})


def assemble(recipe: Recipe, text: Side, image: Side) -> MaskLearner:
    """Join the sides with fusion, head and objective; weights are drawn in this order.

    Raises:
        ConfigError: as `use_of`, or an unknown option.
    """
    use_of(recipe)
    settings = recipe.fusion
    model = FusionModel(
        text,
        image,
        fusion=make_fusion(settings.name, settings.options, width=settings.width),
        head=_head(settings, image.level_widths),
        pool=single_token if settings.tokens == "pooled" else None,
    )
    objective = make_objective(_objective_name(recipe), recipe.objective.options)
    if not isinstance(objective, MaskLoss):
        raise TypeError(f"expected a plait.objectives.mask.MaskLoss, got {type(objective).__name__}")
    # A run that was trained without absent phrases cannot know of them, and its weights hold no such head.
    presence = PresenceHead(settings.width) if objective.absent > 0 else None
    return MaskLearner(model, objective, presence=presence)


def _objective_name(recipe: Recipe) -> str:
    return recipe.objective.name or TASK.objective


def _head(settings: FusionSettings, level_widths: tuple[int, ...]) -> nn.Module:
    name = _head_name(settings)
    options: dict[str, Any] = {key: value for key, value in settings.head.items() if key != "name"}
    if name == GRID_HEAD:  # the other head reads one vector, which has no place for finer levels
        options = {"skips": level_widths, **options}
    return make_head(name, options, settings.width)


def _head_name(settings: FusionSettings) -> str:
    """Give the head that the recipe names, or else the one that reads what the fusion gives."""
    has_grid = tokens_seen(settings) == "tokens" and look_up("fusion", FUSIONS, settings.name).gives != "vector"
    name = str(settings.head.get("name", GRID_HEAD if has_grid else VECTOR_HEAD))
    _check_serves("head", HEADS, name)
    if name == GRID_HEAD and not has_grid:
        raise ConfigError(
            f"fusion {settings.name!r} gives one vector per pair here, and head {GRID_HEAD!r} needs a grid; use "
            f'head = {{ name = "{VECTOR_HEAD}" }}, or tokens = "tokens" with a fusion that keeps the grid'
        )
    return name


def _check_serves(kind: str, table: Mapping[str, Entry], name: str) -> None:
    if not TASK.serves(kind, look_up(kind, table, name)):
        fitting = ", ".join(other for other, entry in table.items() if TASK.serves(kind, entry))
        raise ConfigError(f"{kind} {name!r} does not serve task {TASK.name!r}; these do: {fitting}")
