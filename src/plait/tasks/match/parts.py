"""Recipe -> the parts of a matching model: fusion and head, towers, the objectives."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

from torch import nn

from plait.build import make_fusion, make_head, make_objective
from plait.core.config import FusionSettings, Recipe
from plait.core.errors import ConfigError
from plait.core.tables import load_entry, look_up
from plait.fusion.base.fusion import SimilarityFusion
from plait.heads.match import SimilarityHead
from plait.model import FusionModel, Side
from plait.nn.pooling import single_token
from plait.objectives import OBJECTIVES
from plait.objectives.base import Contrast
from plait.objectives.match import Matching
from plait.tasks.match import TASK
from plait.tasks.match.pairings.towers import Towers

__all__ = ["make_contrast", "make_matching", "make_model", "make_towers", "objective_name", "with_summaries"]

# Heads that read one vector per side of a fused pair.
_LOGIT_HEADS = ("logit", "compare")


def make_model(recipe: Recipe, text: Side, image: Side, *, head: nn.Module | None = None) -> FusionModel:
    """Join the sides with the recipe's fusion and a head.

    Arguments:
        head: in place of the one that `recipe.fusion.head` names, or that the fusion is made for
    Raises:
        ConfigError: an unknown name or option.
    """
    settings = recipe.fusion
    fusion = make_fusion(settings.name, settings.options, width=settings.width)
    if head is None:
        options = dict(settings.head)
        name = options.pop("name", fusion.reads)
        if name != fusion.reads and (name not in _LOGIT_HEADS or fusion.reads not in _LOGIT_HEADS):
            raise ConfigError(
                f"fusion.head.name: fusion {settings.name!r} is made for the head {fusion.reads!r}, got {name!r}; "
                f"where it is made for one of {', '.join(_LOGIT_HEADS)}, the others serve as well"
            )
        head = make_head(name, options, *((settings.width,) if name in _LOGIT_HEADS else ()))
    return FusionModel(
        text, image, fusion=fusion, head=head, pool=single_token if settings.tokens == "pooled" else None
    )


def make_towers(settings: FusionSettings) -> Towers:
    """Make the towers of pairing "itm": a late fusion with the options in `settings.towers`.

    Raises:
        ConfigError: an unknown option.
    """
    fusion = make_fusion("late", settings.towers, width=settings.width)
    head = make_head("similarity", {})
    if not isinstance(fusion, SimilarityFusion) or not isinstance(head, SimilarityHead):
        raise ConfigError("towers: expected fusion 'late' to give similarities and head 'similarity' to read them")
    return Towers(fusion, head)


def with_summaries(settings: FusionSettings) -> FusionSettings:
    """Give settings whose towers read the encoders' summaries, unless they say otherwise."""
    return replace(settings, towers={"pool": "encoder", **settings.towers})


def objective_name(recipe: Recipe) -> str:
    """Give the name of the recipe's contrastive objective; the task's default where it names none."""
    return recipe.objective.name or TASK.objective


def make_contrast(recipe: Recipe, *, scale: float | None = None) -> Contrast:
    """Make the objective of a score matrix.

    Arguments:
        scale: first value of its learned factor where the recipe gives none and the objective takes one
    Raises:
        ConfigError: an unknown name or option, or an objective that does not take a score matrix.
    """
    name = objective_name(recipe)
    options: dict[str, Any] = dict(recipe.objective.options)
    if (
        scale is not None
        and "scale" in inspect.signature(load_entry(look_up("objective", OBJECTIVES, name))).parameters
    ):
        options.setdefault("scale", scale)
    objective = make_objective(name, options)
    if not isinstance(objective, Contrast):
        raise ConfigError(f"objective {name!r} does not take the scores of all pairs; infonce, sigmoid and triplet do")
    return objective


def make_matching(recipe: Recipe) -> Matching:
    """Make the objective of pairing "itm": the contrast for the towers and a matching term for the fused head.

    Raises:
        ConfigError: an unknown name or option.
    """
    objective = make_objective("match", recipe.objective.match, make_contrast(recipe))
    if not isinstance(objective, Matching):
        raise ConfigError("OBJECTIVES['match']: expected plait.objectives.match.Matching")
    return objective
