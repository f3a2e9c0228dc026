"""The first of two stages: a run of the towers alone, which every fused head of the same seed begins from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from plait.core.config import Recipe, recipe_from_dict, recipe_to_dict
from plait.core.errors import ConfigError
from plait.model import Side
from plait.objectives.match import Matching
from plait.tasks.match.learner import MatchLearner, pairing_of
from plait.tasks.match.parts import with_summaries

__all__ = ["take_towers", "towers_recipe"]


def towers_recipe(recipe: Recipe) -> Recipe | None:
    """Give the recipe of the towers that a recipe's fused head begins from; None where the pairing has one stage.

    It is `late` with the options in `fusion.towers`, over the same encoders, under the same seed; the recipe's table
    `[first]` replaces keys. Nothing in it depends on the fusion, so that all fusions share one run.

    Raises:
        ConfigError: `[first]` holds an unknown key.
    """
    if pairing_of(recipe.fusion) != "rerank":
        return None
    plain = recipe_to_dict(recipe)
    own = plain["fusion"]
    summaries = {key: value for key, value in own["adapter_options"].items() if key in ("pooled_width", "dropout")}
    towers = with_summaries(recipe.fusion).towers
    plain |= {"name": "towers", "first": {}, "variants": {}}
    plain["objective"]["match"] = {}
    plain["fusion"] = {
        "name": "late",
        "pairing": "all",
        "options": towers,
        "adapter_options": summaries,
        "width": towers.get("pooled_width") or own["width"],
    }
    return recipe_from_dict(_merged(plain, recipe.first), where="recipe, table 'first'")


def take_towers(learner: MatchLearner, first: MatchLearner) -> None:
    """Copy encoders, the projections of their summaries, towers and the contrast's factor from a run of the towers.

    Raises:
        ConfigError: the two learners do not fit together.
    """
    if learner.towers is None or not isinstance(learner.objective, Matching):
        raise ConfigError('expected a learner of pairing "rerank", which has towers')
    for mine, theirs in ((learner.model.text, first.model.text), (learner.model.image, first.model.image)):
        for part, source in zip(_first_parts(mine), _first_parts(theirs), strict=True):
            part.load_state_dict(source.state_dict())
    learner.towers.fusion.load_state_dict(first.model.fusion.state_dict())
    learner.objective.contrast.load_state_dict(first.objective.state_dict())


def _first_parts(side: Side) -> tuple[nn.Module, ...]:
    trained = () if side.trained is None else (side.trained,)
    return (*trained, *side.adapter.summary_parts())


def _merged(plain: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Give nested data with some keys replaced, table by table; options are replaced as a whole."""
    merged = dict(plain)
    for table, values in changes.items():
        both = isinstance(values, Mapping) and isinstance(plain.get(table), Mapping)
        merged[table] = {**plain[table], **values} if both else values
    return merged
