"""The audits of matching: of a recipe's fusion on noise, and of a trained model on a split."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import lru_cache, partial

import numpy as np
import torch
from torch import Tensor

from plait.audit.ablation import ABLATIONS, ablate, recall_bound, recalls
from plait.audit.baselines import baselines
from plait.audit.dead import dead_parameters
from plait.audit.influence import gradient_influence, swap_influence
from plait.audit.metric_self_test import metric_self_test
from plait.audit.noise import noise_accuracy
from plait.audit.overlap import Overlap, shared_images
from plait.audit.partner import partner_influence
from plait.audit.random_state import random_state_kept
from plait.audit.record import Audit, OnData
from plait.audit.single_key import has_single_key
from plait.audit.verdict import concluded, with_data
from plait.core.config import FusionSettings, ObjectiveSettings, Recipe
from plait.core.errors import ConfigError
from plait.core.types import Tokens
from plait.data.collection import Collection
from plait.tasks.match.evaluate import computing
from plait.tasks.match.learner import MatchLearner, use_of
from plait.tasks.match.pairings import find_pairing
from plait.tasks.match.score import widened_tokens
from plait.tasks.match.show.subject import Subject, attended, audited_parameters, outputs_of, subject_of
from plait.train.feed import Feed

__all__ = ["AFTER_FIT", "audit_encoded", "audit_recipe", "audit_split", "audit_subject"]

# Pairs of noise per seed: chance is 1 / 24.
BATCH = 24
# Gradients of all pairs of a batch: a few suffice to see which parameters get none.
PAIRS_PER_BATCH = 8
BATCHES = 3
AFTER_FIT = ("text shuffled", "image shuffled")
# Scoring n images costs n^2 pairs. By algebra that is nothing. Through two layers of `cross` at width 256 a pair takes
# 1.6 ms of one core at bf16: three matrices take 3 s for 24 images, 20 s for 64, 52 s for 100. 64 images find a leak
# above 10.9 % (see `recall_bound`).
IMAGES, IMAGES_EXPANDED, IMAGES_EXPANDED_AFTER_FIT = 200, 100, 64
# The partner test needs no statistics: a few pairs show whether a score moves at all.
PARTNER_PAIRS = 8
_LEAK_FIX = 'pairing "itm" or "all", where a score is a function of one image and one text alone'
_SHOWN_COLUMNS = ("tokens", "pairing")


def audit_recipe(recipe: Recipe, *, seeds: int) -> Audit:
    """Audit a recipe's fusion with random weights on independent noise; once per process for equal settings.

    The random state is left as it was, so that what is trained afterwards does not depend on it.

    Arguments:
        seeds: sets of random weights and noise
    Raises:
        ConfigError: unknown names or options, a pairing that the fusion lacks, or no seed.
    """
    if seeds < 1:
        raise ConfigError(f"audit: expected at least 1 set of random weights, got {seeds}")
    return _by_settings(json.dumps(asdict(recipe.fusion), sort_keys=True), json.dumps(asdict(recipe.objective)), seeds)


def audit_subject(subject: Subject, *, seeds: int, batch: int = BATCH) -> Audit:
    """Audit a fusion with random weights on noise. Arguments: batch: pairs of noise per seed."""
    recipe = subject.recipe
    used = use_of(recipe).columns
    with random_state_kept():

        def scores(seed: int) -> Tensor:
            learner = subject.learner(seed)
            return learner.pairing.fused(*subject.noise(learner, batch, seed))

        noise = noise_accuracy(scores, range(seeds))
        learner = subject.learner(0)
        text, image = subject.noise(learner, batch, seeds)
        pairs = torch.arange(PAIRS_PER_BATCH)
        batches = [(*subject.noise(learner, len(pairs), seeds + n), pairs) for n in range(BATCHES)]
        outputs = partial(outputs_of, learner)
        return concluded(
            Audit(
                fusion=recipe.fusion.name,
                columns={key: used[key] for key in _SHOWN_COLUMNS},
                noise=noise,
                batch=batch,
                seeds=seeds,
                influence=swap_influence(outputs, text, image),
                gradients=gradient_influence(outputs, text, image),
                partner=partner_influence(learner.pairing.fused, text, image),
                single_key=has_single_key(partial(attended, learner), text, image),
                dead_parameters=_dead(learner, batches),
                outputs=find_pairing(used["pairing"]).outputs,
                leak_fix=_LEAK_FIX,
            )
        )


def audit_split(
    before: Audit | None, learner: MatchLearner, feed: Feed, recipe: Recipe, *, split: str, thorough: bool
) -> Audit:
    """Add what the trained model does on the first images of a split, each with its first caption.

    Arguments:
        before:   the audit of the recipe; None = it is made now
        thorough: also remove each side, measure baselines and test the metrics on the shape of the whole split, take
                  more images, and compare the appearance of images across splits
    """
    before = before or audit_recipe(recipe, seeds=6)
    captions = np.flatnonzero(np.isin(feed.image_of, feed.collection.splits[split]))
    images, first = np.unique(feed.image_of[captions], return_index=True)
    expanded = IMAGES_EXPANDED if thorough else IMAGES_EXPANDED_AFTER_FIT
    count = expanded if learner.pairing.expands_pairs else IMAGES
    was_training = learner.training
    learner.eval()
    scored = captions[first[:count]]
    with computing(learner, recipe.train.precision), torch.no_grad():
        text, image = feed.encode_texts(scored), feed.encode_images(images[:count])
        found = audit_encoded(learner, text, image, split=split, kinds=ABLATIONS if thorough else AFTER_FIT)
    learner.train(was_training)
    if thorough:
        rows = np.searchsorted(images, feed.image_of[captions])
        found = replace(
            found,
            # Of the very pairs that were scored: one chance for the whole table.
            baselines=baselines(np.arange(len(scored)), len(scored), [feed.texts[i] for i in scored]),
            metric=metric_self_test(rows, len(images)),
        )
    return with_data(before, replace(found, overlap=_overlap(feed.collection, split, perceptual=thorough)))


def audit_encoded(
    learner: MatchLearner, text: Tokens, image: Tokens, *, split: str, kinds: Sequence[str] = ABLATIONS
) -> OnData:
    """Audit a model in eval mode on encoded pairs, every row another image. The random state is left as it was.

    Arguments:
        split: the split's name
        kinds: which ablations
    Shapes: text Tokens (N, T, D), image Tokens (N, P, D), of the common width, in the same order; N of at least 2.
    """
    score = learner.pairing.aligned
    rows = torch.arange(len(text), device=text.values.device)
    with random_state_kept(rows.device):
        chunks = [chunk for chunk in rows.split(PAIRS_PER_BATCH)[:BATCHES] if len(chunk) > 1]
        return OnData(
            split=split,
            images=len(text),
            whole=recalls(score(text, image)),
            ablations=ablate(score, text, image, kinds=kinds),
            bound=recall_bound(len(text)),
            influence=swap_influence(partial(outputs_of, learner), text, image),
            dead_parameters=_dead(learner, [(text.take(chunk), image.take(chunk), chunk) for chunk in chunks]),
            partner=_partner(learner, text, image),
        )


@lru_cache(maxsize=256)
def _by_settings(fusion: str, objective: str, seeds: int) -> Audit:
    recipe = Recipe(fusion=FusionSettings(**json.loads(fusion)), objective=ObjectiveSettings(**json.loads(objective)))
    return audit_subject(subject_of(recipe), seeds=seeds)


def _dead(learner: MatchLearner, batches: Sequence[tuple[Tokens, Tokens, Tensor]]) -> tuple[str, ...]:
    def loss(batch: tuple[Tokens, Tokens, Tensor]) -> Tensor:
        return learner.pairing.loss_of(*batch).total

    return dead_parameters(audited_parameters(learner), loss, batches)


def _partner(learner: MatchLearner, text: Tokens, image: Tokens) -> float:
    """Test the first pairs in float32: at bf16 another padding alone moves a score by a hundredth."""
    if len(text) < 4:
        return 0.0
    chosen = slice(0, PARTNER_PAIRS)
    with torch.autocast(text.values.device.type, enabled=False):
        return partner_influence(
            learner.pairing.aligned, widened_tokens(text.take(chosen)), widened_tokens(image.take(chosen))
        )


def _overlap(collection: Collection, split: str, *, perceptual: bool) -> Overlap | None:
    """Find images of the training split in another; None where there is no training split."""
    if split == "train" or not collection.splits.get("train"):
        return None
    return shared_images(collection, split, perceptual=perceptual)
