"""Evaluation of a split: scores, retrieval metrics in both directions, and the counterfactual binding test."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from plait.core.errors import InputError
from plait.core.evaluation import Evaluation, Measured
from plait.core.types import Tokens
from plait.data.text import split_words
from plait.metrics.agreement import agreement, caption_relevance, word_vectors
from plait.metrics.binding import binding_accuracy
from plait.metrics.retrieval import ImageContributions, image_contributions, retrieval_metrics
from plait.nn.precision import autocast_context, resolve_precision
from plait.task import Progress
from plait.tasks.match.learner import MatchLearner
from plait.tasks.match.metrics import METRIC_OF
from plait.tasks.match.score import SplitScores
from plait.train.feed import Feed

__all__ = ["Answers", "computing", "evaluate_split"]

LEAST_IMAGES = 2
# The time to compare captions grows with the square of their number: a few seconds for 5,000.
LEAST_AGREEMENT_IMAGES, AGREEMENT_IMAGES = 3, 1000


@dataclass(frozen=True, eq=False)
class Answers:
    """What the gallery needs of an evaluation.

    Fields:
        scores:      the score matrices, a row per image and a column per caption
        caption_row: (C,) int64, the row of each caption's own image
    """

    scores: SplitScores
    caption_row: np.ndarray


def computing(learner: MatchLearner, precision: str) -> torch.autocast:
    """Give the context in which a learner computes at a recipe's precision ("auto", "fp32" or "bf16")."""
    device = str(next((parameter.device for parameter in learner.parameters()), torch.get_default_device()))
    return autocast_context(resolve_precision(precision, device), device)


def evaluate_split(
    learner: MatchLearner,
    feed: Feed,
    *,
    split: str,
    precision: str,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Score a split, every image with every caption, and measure.

    Arguments:
        precision: of encoders and fusion: "auto", "fp32" or "bf16". Scores are float32 in any case
        limit:     only the split's first images and the metrics that are `on_curve`
        progress:  called with captions scored and in all
    Raises:
        InputError: the split holds fewer than 2 images with captions; ranks would mean nothing.
    """
    began = time.perf_counter()
    images, captions, caption_row = _members(feed, split, limit)
    was_training = learner.training
    learner.eval()
    with computing(learner, precision), torch.no_grad():
        text, image = feed.encode_texts(captions), feed.encode_images(images)
        own = torch.as_tensor(caption_row, device=text.values.device)
        scores = learner.pairing.split(text, image, own=own, progress=progress)
        measured = _retrieval(scores, caption_row)
        if limit is None:
            measured += _agreement(feed, scores, captions, caption_row)
            measured += _binding(learner, feed, captions, caption_row, text, image)
    learner.train(was_training)
    if limit is not None:
        measured = [one for one in measured if one.metric.on_curve]
    return Evaluation(
        split=split,
        images=tuple(int(i) for i in images),
        captions=tuple(int(i) for i in captions),
        measured=tuple(measured),
        score_kind=scores.kind,
        flags=scores.flags,
        eval_s=time.perf_counter() - began,
        answers=Answers(scores, caption_row),
    )


def _members(feed: Feed, split: str, limit: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give a split's images (I,) and captions (C,), both int64, and the row (C,) of each caption's image among them."""
    images = np.array(feed.collection.splits[split][:limit], dtype=np.int64)
    captions = np.flatnonzero(np.isin(feed.image_of, images))
    images = images[np.isin(images, feed.image_of[captions])]
    if len(images) < LEAST_IMAGES:
        raise InputError(
            f"data {feed.collection.name!r}: split {split!r} holds {len(images)} photo(s) with captions; ranking needs "
            f"at least {LEAST_IMAGES}"
        )
    row_of = np.full(len(feed.collection.photos), -1, dtype=np.int64)
    row_of[images] = np.arange(len(images))
    return images, captions, row_of[feed.image_of[captions]]


def _retrieval(scores: SplitScores, caption_row: np.ndarray) -> list[Measured]:
    """Measure both directions of search, each by its own matrix, and the candidates' other orders."""
    by_text = scores.text_to_image.numpy(force=True)
    by_image = by_text
    parts = {"t2i": image_contributions(by_text, caption_row)}
    figures = {"t2i": retrieval_metrics(by_text, caption_row)}
    if scores.image_to_text is scores.text_to_image:
        parts["i2t"], figures["i2t"] = parts["t2i"], figures["t2i"]
    else:
        by_image = scores.image_to_text.numpy(force=True)
        parts["i2t"] = image_contributions(by_image, caption_row)
        figures["i2t"] = retrieval_metrics(by_image, caption_row)
    weights = {"t2i": parts["t2i"].captions, "i2t": (parts["t2i"].captions > 0).astype(np.int64)}
    measured = []
    for way in ("t2i", "i2t"):
        for key, value in figures[way].items():
            if key.startswith(way):
                measured.append(_measured(key, value, parts[way], weights[way], caption_row))
    for order, matrices in scores.candidates.items():
        for way, matrix in zip(("t2i", "i2t"), matrices, strict=True):
            items = image_contributions(matrix.numpy(force=True), caption_row).values[f"{way}_r1"]
            value = float(np.average(items, weights=weights[way]))
            measured.append(Measured(METRIC_OF[f"{way}_r1_{order}"], value, items, weights[way]))
            if order == "towers":
                gained = parts[way].values[f"{way}_r1"] - items
                value = float(np.average(gained, weights=weights[way]))
                measured.append(Measured(METRIC_OF[f"{way}_r1_gain"], value, gained, weights[way]))
    return measured


def _measured(
    key: str, value: float, parts: ImageContributions, weights: np.ndarray, caption_row: np.ndarray
) -> Measured:
    metric = METRIC_OF[key]
    if metric.statistic == "mean":
        return Measured(metric, value, parts.values[key], weights)
    ranks, owner = (parts.t2i_ranks, caption_row) if key.startswith("t2i") else (parts.i2t_ranks, parts.i2t_image)
    return Measured(metric, value, ranks, owner=owner)


def _agreement(feed: Feed, scores: SplitScores, captions: np.ndarray, caption_row: np.ndarray) -> list[Measured]:
    """Measure how scores agree with the likeness of captions, for the split's first images; [] for too few."""
    images = min(len(scores.text_to_image), AGREEMENT_IMAGES)
    kept = np.flatnonzero(caption_row < images)
    if images < LEAST_AGREEMENT_IMAGES:
        return []
    owner = caption_row[kept]
    words = [split_words(feed.texts[int(caption)]) for caption in captions[kept]]
    vectors = word_vectors(words, device=scores.text_to_image.device)
    relevance = caption_relevance(vectors, owner, images)
    found = agreement(scores.text_to_image[:images].numpy(force=True)[:, kept], relevance, owner)
    weights = np.bincount(owner, minlength=len(scores.text_to_image))
    sums = np.bincount(owner, weights=found, minlength=len(weights))
    metric = METRIC_OF["t2i_agreement"]
    return [Measured(metric, float(found.mean()), sums / np.maximum(weights, 1), weights)]


def _binding(
    learner: MatchLearner,
    feed: Feed,
    captions: np.ndarray,
    caption_row: np.ndarray,
    text: Tokens,
    image: Tokens,
) -> list[Measured]:
    """Measure how often images score their captions above the counterfactuals of these; [] where there are none."""
    rows = np.array(
        [n for n, caption in enumerate(captions) if int(caption) in feed.counterfactual_row], dtype=np.int64
    )
    if not len(rows):
        return []
    false_text = feed.encode_texts([feed.counterfactual_row[int(captions[n])] for n in rows])
    device = text.values.device
    own_image = image.take(torch.as_tensor(caption_row[rows], device=device))
    true_text = text.take(torch.as_tensor(rows, device=device))
    true_score = learner.pairing.pairs(true_text, own_image).numpy(force=True)
    false_score = learner.pairing.pairs(false_text, own_image).numpy(force=True)
    value = binding_accuracy(true_score, false_score)
    hits = 100.0 * ((true_score > false_score) + 0.5 * (true_score == false_score))
    weights = np.bincount(caption_row[rows], minlength=len(image))
    sums = np.bincount(caption_row[rows], weights=hits, minlength=len(image))
    return [Measured(METRIC_OF["binding_accuracy"], value, sums / np.maximum(weights, 1), weights)]
