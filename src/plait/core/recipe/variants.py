"""A recipe with other settings: of one entrant of a comparison, or as a command line requests. Imports no torch."""

from __future__ import annotations

import dataclasses

from plait.core.config import ObjectiveSettings, Recipe, TrainSettings, recipe_from_dict, recipe_to_dict
from plait.core.recipe.typed import make_settings

__all__ = ["overridden", "variant", "with_epochs"]


def variant(recipe: Recipe, label: str) -> Recipe:
    """Give the recipe of one entrant of a comparison: a variant by its label, or a fusion by its name.

    A fusion that the recipe does not name has its defaults under the recipe's width, tokens and adapter.

    Raises:
        ConfigError: the variant's own objective has an unknown key.
    """
    settings = recipe.fusion
    if label in recipe.variants:
        settings = recipe.variants[label]
    elif label != settings.name:
        settings = dataclasses.replace(settings, name=label, options={}, head={}, pairing="", objective={}, train={})
    objective, train = recipe.objective, recipe.train
    if settings.objective:
        objective = make_settings(ObjectiveSettings, settings.objective, where=f"variants.{label}", table="objective")
        settings = dataclasses.replace(settings, objective={})
    if settings.train:
        train = make_settings(
            TrainSettings, {**vars(train), **settings.train}, where=f"variants.{label}", table="train"
        )
        settings = dataclasses.replace(settings, train={})
    return dataclasses.replace(recipe, fusion=settings, objective=objective, train=train, variants={})


def overridden(
    recipe: Recipe,
    *,
    fusion: str | None = None,
    tokens: str | None = None,
    pairing: str | None = None,
    epochs: int | None = None,
    seed: int | None = None,
) -> Recipe:
    """Give the recipe with other settings, every range checked; None leaves what it has.

    Arguments:
        fusion: a fusion's name or the label of one of its variants; `variant` says what becomes of its options
        tokens: for its variants too
        epochs: for its variants and its first stage too (`with_epochs`)
    Raises:
        ConfigError: a value of the wrong type or out of its range; the message names the key.
    """
    chosen = recipe if fusion is None else variant(recipe, fusion)
    plain = recipe_to_dict(chosen if epochs is None else with_epochs(chosen, epochs))
    for settings in (plain["fusion"], *plain["variants"].values()):
        settings["tokens"] = settings["tokens"] if tokens is None else tokens
    for table, key, value in (("fusion", "pairing", pairing), ("train", "seed", seed)):
        if value is not None:
            plain[table][key] = value
    return recipe_from_dict(plain)


def with_epochs(recipe: Recipe, epochs: int) -> Recipe:
    """Give the recipe with this many epochs, in its variants and in its first stage too.

    Raises:
        ConfigError: fewer than one.
    """
    plain = recipe_to_dict(recipe)
    plain["train"]["epochs"] = epochs
    for own in (plain["first"], *plain["variants"].values()):
        if isinstance(own.get("train"), dict) and "epochs" in own["train"]:
            own["train"]["epochs"] = epochs
    return recipe_from_dict(plain)
