"""The audit of a trained model of masks: mIoU without a side, what masks depend on, dead weights."""

from __future__ import annotations

from functools import partial

import numpy as np
from torch import Tensor, nn

from plait.audit.ablation import ABLATIONS
from plait.audit.dead import dead_parameters
from plait.audit.influence import gradient_influence, swap_influence
from plait.audit.random_state import random_state_kept
from plait.audit.record import Audit, OnData
from plait.audit.single_key import has_single_key
from plait.audit.verdict import concluded
from plait.core.config import Recipe
from plait.core.types import Fused, Tokens
from plait.metrics.mask import constant_overlap
from plait.metrics.mask_counts import best_threshold, overlap_at
from plait.nn.precision import autocast_context, resolve_precision
from plait.tasks.mask.assemble import use_of
from plait.tasks.mask.counting import AS_TRAINED, MaskReader, count_masks
from plait.tasks.mask.evaluate import fall_of, members_of
from plait.tasks.mask.learner import MaskLearner, eval_mode
from plait.train.feed import Feed

__all__ = ["audit_masks"]

# Ablations cost five masks per caption; more images would hardly move the intervals.
IMAGES = 200
# One caption per image for what is told by swaps and gradients.
PAIRS = 24
PAIRS_PER_BATCH = 8
# side -> the ablation that gives it another item's content, so that the rest stays what the model knows
_SHUFFLED = {"text": "text shuffled", "image": "image shuffled"}


def audit_masks(learner: MaskLearner, feed: Feed, recipe: Recipe, *, split: str) -> Audit:
    """Audit a trained model on the first images of a split. The random state is left as it was.

    Every figure is mIoU at one threshold: the one that suits the model, with both sides as they are, on these very
    captions. It compares a model with itself, so that nothing is gained by that choice; `plait evaluate` chooses
    elsewhere. A side is called ignored where mIoU does not fall when it is another item's (the 95 % interval of the
    fall, over images, reaches 0), or where no mask moves when it is exchanged.

    Raises:
        InputError: the split holds no caption, or a mask cannot be read.
    """
    members = members_of(feed, split, IMAGES)
    precision = resolve_precision(recipe.train.precision, feed.device.type)
    reader = MaskReader(learner, feed, precision)
    with eval_mode(learner.model), random_state_kept(feed.device):
        counts = count_masks(reader, members.captions, kinds=(AS_TRAINED, *ABLATIONS)).by_kind
        first = members.captions[np.unique(members.owner, return_index=True)[1]]
        pairs, batches = first[:PAIRS], _batches(first)
        with autocast_context(precision, feed.device.type):
            text, image = feed.encode_texts(pairs), feed.encode_images(feed.image_of[pairs])
            outputs = partial(_outputs, learner)
            influence = swap_influence(outputs, text, image)
            gradients = gradient_influence(outputs, text, image)
            single_key = has_single_key(partial(_attended, learner), text, image)
            dead = dead_parameters(_audited(learner), partial(_loss, learner, feed), batches)
    threshold = best_threshold(counts[AS_TRAINED])
    by_image = {kind: members.averaged(overlap_at(found, threshold).iou()) for kind, found in counts.items()}
    falls = {kind: fall_of(by_image[AS_TRAINED], by_image[kind], members.weights) for kind in ABLATIONS}
    miou = {kind: {"miou": float(np.average(found, weights=members.weights))} for kind, found in by_image.items()}
    used = use_of(recipe).columns
    return concluded(
        Audit(
            fusion=recipe.fusion.name,
            columns={key: used[key] for key in ("tokens", "pairing")},
            noise=None,
            batch=0,
            seeds=0,
            influence=influence,
            gradients=gradients,
            partner=0.0,
            single_key=single_key,
            dead_parameters=dead,
            outputs=("mask",),
            data=OnData(
                split=split,
                images=len(members.images),
                whole=miou[AS_TRAINED],
                ablations={kind: miou[kind] for kind in ABLATIONS},
                bound=None,
                influence=influence,
                dead_parameters=dead,
                baselines=_baselines(counts[AS_TRAINED]),
                falls=falls,
                ignored=tuple(side for side, kind in _SHUFFLED.items() if falls[kind]["low"] <= 0),
            ),
        )
    )


def _baselines(counts: np.ndarray) -> dict[str, dict[str, float]]:
    """Give the mIoU of the masks that mark everything and nothing: counts (C, 2, BINS)."""
    true, pixels = counts[:, 1].sum(1), counts.sum((1, 2))
    found = {}
    for name, foreground in (("all foreground", True), ("all background", False)):
        iou = constant_overlap(true, pixels, foreground=foreground).iou()
        found[name] = {"miou": 100.0 * float(iou.mean())}
    return found


def _batches(rows: np.ndarray) -> list[np.ndarray]:
    chunks = [rows[start : start + PAIRS_PER_BATCH] for start in range(0, min(len(rows), PAIRS), PAIRS_PER_BATCH)]
    return [chunk for chunk in chunks if len(chunk) > 1] or [rows]


def _outputs(learner: MaskLearner, text: Tokens, image: Tokens) -> dict[str, Tensor]:
    """Give the logits of aligned pairs: "mask" (N, h * w) and, with a presence head, "presence" (N, 1)."""
    logits, fused = learner.masks(text, image)
    found = {"mask": logits.values.float().flatten(1)}
    if learner.presence is not None:
        found["presence"] = learner.presence(fused, logits)[:, None]
    return found


def _attended(learner: MaskLearner, text: Tokens, image: Tokens) -> Fused:
    return learner.model.fuse(text, image, maps=True)


def _audited(learner: MaskLearner) -> list[tuple[str, nn.Parameter]]:
    """Name the parameters of fusion, head and presence head; adapters also serve fusions that read one vector."""
    parts = {"fusion": learner.model.fusion, "head": learner.model.head, "presence": learner.presence}
    return [
        (f"{prefix}.{name}", parameter)
        for prefix, part in parts.items()
        if part is not None
        for name, parameter in part.named_parameters()
    ]


def _loss(learner: MaskLearner, feed: Feed, rows: np.ndarray) -> Tensor:
    return learner.loss(feed.batch(rows, seed=0, epoch=0)).total
