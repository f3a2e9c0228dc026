"""From a recipe to what is trained: the task's learner, with initial weights drawn from the recipe's seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from plait.build import image_side, needs_words, text_side
from plait.core.config import Recipe
from plait.core.types import TextInput
from plait.data.collection import Collection
from plait.data.text import WordInput
from plait.model import Learner
from plait.nn.precision import resolve_precision
from plait.tasks import find_task

__all__ = ["assemble", "assemble_for", "completed", "head_data", "make_words"]


def completed(recipe: Recipe, *, device: torch.device | None = None) -> Recipe:
    """Fill in what a recipe leaves open: the task's default objective and, for a device, the precision it is fast at.

    Raises:
        UnknownNameError: there is no such task.
    """
    task = find_task(recipe.task)
    objective = replace(recipe.objective, name=recipe.objective.name or task.objective)
    precision = recipe.train.precision if device is None else resolve_precision(recipe.train.precision, device)
    return replace(recipe, objective=objective, train=replace(recipe.train, precision=precision))


def assemble(recipe: Recipe, words: TextInput | None = None, *, known: Mapping[str, Any] | None = None) -> Learner:
    """Make the learner of a recipe: encoders and adapters, then what the task joins them with.

    Arguments:
        words: the vocabulary, for text encoders that learn their own words (see `make_words`)
        known: options of the head that the training captions gave (see `head_data`)
    Raises:
        ConfigError: an unknown name or option, a fusion that does not serve the task, or no `words` where needed.
    """
    work = find_task(recipe.task).load_work()
    work.use(recipe)  # refuse before encoders are loaded
    recipe = replace(recipe, fusion=replace(recipe.fusion, head={**recipe.fusion.head, **(known or {})}))
    torch.manual_seed(recipe.train.seed)
    text = text_side(recipe, words)
    image = image_side(recipe)
    return work.assemble(recipe, text, image)


def assemble_for(recipe: Recipe, collection: Collection) -> Learner:
    """Make the learner of a recipe for a collection, whose training captions give its words and its head's data."""
    recipe = find_task(recipe.task).load_work().fill_in(recipe, collection)
    return assemble(recipe, make_words(recipe, collection), known=head_data(recipe, collection))


def head_data(recipe: Recipe, collection: Collection) -> dict[str, Any]:
    """Give the options of the head that the training captions alone give, such as the list of answers."""
    return find_task(recipe.task).read_head_data(recipe, collection)


def make_words(recipe: Recipe, collection: Collection) -> WordInput | None:
    """Build the vocabulary from the training captions alone, where the recipe's text encoder learns its words."""
    if not needs_words(recipe):
        return None
    return WordInput.from_texts(
        (collection.captions[i].text for i in collection.captions_of("train")),
        min_count=recipe.text.min_count,
        max_tokens=recipe.text.max_tokens,
        tokeniser=recipe.text.tokeniser,
    )
