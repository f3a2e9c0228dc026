"""Batches of a collection for a learner: what is frozen is encoded, or opened from the cache."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from plait.core.config import Recipe
from plait.data.collection import Collection
from plait.model import Learner
from plait.nn.devices import device_of
from plait.nn.precision import resolve_precision
from plait.tasks import find_task
from plait.train.events import Listener, silent
from plait.train.features import prepare
from plait.train.feed import Feed

__all__ = ["open_feed"]


def open_feed(
    learner: Learner,
    recipe: Recipe,
    collection: Collection,
    *,
    cache: Path,
    listener: Listener = silent,
) -> Feed:
    """Give batches of a collection for a learner, on the learner's device."""
    features = prepare(
        learner.model,
        collection,
        views=recipe.image.views,
        precision=resolve_precision(recipe.train.precision, device_of(learner)),
        root=cache,
        listener=listener,
    )
    targets = partial(find_task(recipe.task).load_work().targets, learner)
    return Feed(collection, learner, features, views=recipe.image.views, make_targets=targets)
