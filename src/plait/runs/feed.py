"""Batches of a collection for a learner: what is frozen is encoded, or opened from the cache."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

from plait.core.config import Recipe
from plait.data.collection import Collection
from plait.model import Learner
from plait.nn.precision import resolve_precision
from plait.tasks import find_task
from plait.train.events import Listener, silent
from plait.train.feed import Feed
from plait.train.features import prepare

__all__ = ["open_feed"]


def open_feed(
    learner: Learner,
    recipe: Recipe,
    collection: Collection,
    *,
    cache: Path,
    device: torch.device | None = None,
    listener: Listener = silent,
) -> Feed:
    """Give batches of a collection for a learner, on a device (None = where the learner is)."""
    device = device or next(learner.parameters()).device
    features = prepare(
        learner.model,
        collection,
        views=recipe.image.views,
        precision=resolve_precision(recipe.train.precision, device.type),
        root=cache,
        listener=listener,
    )
    targets = partial(find_task(recipe.task).load_work().targets, learner)
    return Feed(collection, learner, features, views=recipe.image.views, make_targets=targets)
