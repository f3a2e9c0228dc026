"""The audits around a fit: of the fusion before it is trained, and of the model afterwards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from plait.audit.ablation import ABLATIONS
from plait.audit.baselines import baselines
from plait.audit.by_name import audit_fusion, with_data
from plait.audit.metric_self_test import metric_self_test
from plait.audit.on_data import audit_model
from plait.audit.overlap import Overlap, shared_photos
from plait.audit.record import Audit, OnData
from plait.build import Built
from plait.core.config import FusionSettings, ObjectiveSettings, Recipe
from plait.core.types import Tokens
from plait.data.collection import Collection
from plait.nn.precision import autocast_context, resolve_precision
from plait.train.feed import Feed
from plait.tasks.match.score import Scorer

__all__ = ["AFTER_FIT", "audit_after", "audit_before", "audit_split", "photos_shared"]

# Before a fit six seeds are enough: a leak finds nearly all pairs, luck ends at one in eight.
QUICK_SEEDS = 6
AFTER_FIT = ("text shuffled", "image shuffled")
# Scoring n photos costs n^2 pairs. By algebra that is nothing; through a deep fusion a pair takes milliseconds, so 24
# photos must do after a fit: enough to see a leak, which finds nearly all of them.
PHOTOS, PHOTOS_EXPANDED, PHOTOS_EXPANDED_AFTER_FIT = 200, 100, 24


def audit_before(recipe: Recipe) -> Audit:
    """Audit a recipe's fusion on noise, in a second or two; once a process for equal settings.

    The random state is left as it was, so that what is trained afterwards does not depend on it.
    """
    return _by_settings(json.dumps(asdict(recipe.fusion), sort_keys=True), json.dumps(asdict(recipe.objective)))


@lru_cache(maxsize=256)
def _by_settings(fusion: str, objective: str) -> Audit:
    return audit_fusion(
        FusionSettings(**json.loads(fusion)), ObjectiveSettings(**json.loads(objective)), seeds=QUICK_SEEDS
    )


def audit_after(before: Audit, built: Built, feed: Feed, recipe: Recipe, *, split: str) -> Audit:
    """Add to the audit before a fit what the trained model does when captions or photos are shuffled."""
    data = audit_split(built, feed, recipe, split=split, kinds=AFTER_FIT)
    return with_data(before, replace(data, overlap=photos_shared(feed.collection, split)))


def photos_shared(collection: Collection, split: str, *, looks: bool = False) -> Overlap | None:
    """Look for photos of the training split in another; None where there is no training split to look at."""
    if split == "train" or not collection.splits.get("train"):
        return None
    return shared_photos(collection, split, looks=looks)


@torch.no_grad()
def audit_split(
    built: Built, feed: Feed, recipe: Recipe, *, split: str, kinds: Sequence[str] = ABLATIONS, whole_split: bool = False
) -> OnData:
    """Audit a trained model on the first photos of a split, each with its first caption.

    Arguments:
        whole_split: also measure baselines and test the metrics, on the shape of the whole split, and take more photos
    """
    model = built.model
    model.eval()
    scorer = Scorer(model, built.objective, rerank_k=recipe.fusion.rerank_k)
    by_algebra = model.has_algebra or model.pairing == "matched"
    captions = np.flatnonzero(np.isin(feed.photo_of, feed.collection.splits[split]))
    photos, first = np.unique(feed.photo_of[captions], return_index=True)
    expanded = PHOTOS_EXPANDED if whole_split else PHOTOS_EXPANDED_AFTER_FIT
    count = PHOTOS if by_algebra else expanded

    def score(text: Tokens, image: Tokens) -> Tensor:
        if model.pairing == "matched":
            return scorer.split(text, image, own=torch.arange(len(text))).text_to_image
        return scorer.matrix(text, image)[0]

    with autocast_context(resolve_precision(recipe.train.precision)):
        text, image = feed.encode_texts(captions[first[:count]]), feed.encode_photos(photos[:count])
        found = audit_model(model, built.objective, text, image, score=score, split=split, kinds=kinds)
    if not whole_split:
        return found
    rows = np.searchsorted(photos, feed.photo_of[captions])
    return replace(
        found,
        baselines=baselines(rows, len(photos), [feed.texts[i] for i in captions]),
        metric=metric_self_test(rows, len(photos)),
    )
