"""Ask a model the questions of a split, chunk by chunk, also with a side removed or exchanged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from plait.audit.ablation import emptied
from plait.nn.precision import Precision, autocast_context
from plait.tasks.answer.learner import AnswerLearner
from plait.tasks.answer.metrics import FACTS_REMOVED

if TYPE_CHECKING:
    from plait.train.feed import Feed

__all__ = ["AS_TRAINED", "BEST", "Asked", "ask", "partner_rows"]

# The model with both sides as they are; the other kinds are those of `plait.tasks.answer.metrics.ABLATED`.
AS_TRAINED = "as trained"
# So many of the most probable answers are kept per question.
BEST = 5
QUESTIONS_PER_CHUNK = 128
PARTNERS_TRIED = 64


@dataclass(frozen=True)
class Asked:
    """What a model answers to C questions.

    Fields:
        best:          kind -> (C, K) int64, columns of the list of answers, the most probable first
        probabilities: (C, K) float in [0, 1] of the kind "as trained"
    """

    best: dict[str, np.ndarray]
    probabilities: np.ndarray


def ask(
    learner: AnswerLearner,
    feed: Feed,
    rows: np.ndarray,
    *,
    precision: Precision,
    kinds: Sequence[str] = (AS_TRAINED,),
    progress: Callable[[int, int], None] | None = None,
) -> Asked:
    """Answer the questions `rows` (C,) int64, image by image, without gradients.

    Arguments:
        precision: of the model's products
        kinds:     `AS_TRAINED`, those of `plait.tasks.answer.metrics.ABLATED`, and `FACTS_REMOVED`
        progress:  called with questions done and questions in all
    """
    kept = min(BEST, len(learner.answers))
    best = {kind: np.zeros((len(rows), kept), dtype=np.int64) for kind in kinds}
    probabilities = np.zeros((len(rows), kept))
    shuffled = {"text shuffled", "image shuffled"} & set(kinds)
    partner = partner_rows(feed, rows) if shuffled else rows
    order = np.argsort(feed.image_of[rows], kind="stable")
    for start in range(0, len(order), QUESTIONS_PER_CHUNK):
        places = order[start : start + QUESTIONS_PER_CHUNK]
        with torch.no_grad(), autocast_context(precision, feed.device.type):
            for kind in kinds:
                found = _probabilities(learner, feed, rows[places], partner[places], kind)
                chosen = np.argsort(-found, axis=1, kind="stable")[:, :kept]
                best[kind][places] = chosen
                if kind == AS_TRAINED:
                    probabilities[places] = np.take_along_axis(found, chosen, 1)
        if progress is not None:
            progress(start + len(places), len(rows))
    return Asked(best, probabilities)


def partner_rows(feed: Feed, rows: np.ndarray) -> np.ndarray:
    """Give each question another one of these, about another image and with other words: (C,) int64 -> (C,) int64.

    A question that has no such partner keeps itself.
    """
    partner = rows.copy()
    ring = np.random.default_rng(0).permutation(len(rows))
    for place, at in enumerate(ring):
        for step in range(1, min(len(ring), PARTNERS_TRIED)):
            own, other = rows[at], rows[ring[(place + step) % len(ring)]]
            if feed.image_of[other] != feed.image_of[own] and feed.texts[other] != feed.texts[own]:
                partner[at] = other
                break
    return partner


def _probabilities(learner: AnswerLearner, feed: Feed, rows: np.ndarray, partner: np.ndarray, kind: str) -> np.ndarray:
    texts = partner if kind == "text shuffled" else rows
    images, image_row = np.unique(feed.image_of[partner if kind == "image shuffled" else rows], return_inverse=True)
    text, image = feed.encode_texts(texts), feed.encode_images(images)
    if kind == "text removed":
        text = emptied(text)
    elif kind == "image removed":
        image = emptied(image)
    row = torch.from_numpy(image_row).to(feed.device)
    if kind != FACTS_REMOVED:
        return learner.probabilities(text, image, image_row=row)
    learner.reads_facts = False
    try:
        return learner.probabilities(text, image, image_row=row)
    finally:
        learner.reads_facts = True
