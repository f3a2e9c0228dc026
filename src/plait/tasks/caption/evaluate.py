"""Evaluate captions on a split: written freely and scored against all references, beside what never looked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from plait.core.config import Recipe
from plait.core.errors import InputError
from plait.core.evaluation import Evaluation, Measured
from plait.core.types import Tokens
from plait.data.text import split_words
from plait.metrics.caption.bleu import bleu, bleu_counts, bleu_parts
from plait.metrics.caption.cider import CiderD
from plait.metrics.caption.rouge import rouge_l
from plait.metrics.caption.variety import most_common_parts, variety_parts
from plait.metrics.statistics import paired_difference
from plait.nn.precision import autocast_context, resolve_precision
from plait.tasks.caption.assemble import Decoding
from plait.tasks.caption.baselines import Baselines
from plait.tasks.caption.learner import CaptionLearner, eval_mode
from plait.tasks.caption.metrics import METRIC_OF, METRICS, baseline_key
from plait.tasks.caption.sample import sample_pictures
from plait.tasks.caption.targets import coverage_of, references_of
from plait.tasks.caption.writing import IMAGES_AT_ONCE, Writer, Written

if TYPE_CHECKING:
    from plait.train.feed import Feed

__all__ = [
    "IGNORES_IMAGE",
    "SAYS_THE_SAME",
    "CaptionAnswers",
    "blanked",
    "evaluate_captions",
    "exchanged",
    "variety_of",
]

IGNORES_IMAGE = "ignores the image"
SAYS_THE_SAME = "says the same of every photo"
# One caption in so many images, or fewer, is the same of every photo ...
_DISTINCT_SHARE = 0.01
# ... unless the references, of which there are more, hardly differ either.
_REFERENCES_MORE = 10
FALL_RESAMPLES = 4000


@dataclass(frozen=True, eq=False)
class CaptionAnswers:
    """What the gallery needs of an evaluation.

    Fields:
        written: (I) captions, one per image
        cider:   (I,) float, of each
    """

    written: list[Written]
    cider: np.ndarray


@dataclass(frozen=True, eq=False)
class _Scored:
    """Images with their references and the captions written for them.

    Fields:
        images:     (I,) indices
        rows:       indices of their captions in the collection
        references: words of all captions of each
        written:    one caption per image
        cider:      prepared for the references
    """

    images: list[int]
    rows: list[int]
    references: list[list[list[str]]]
    written: list[Written]
    cider: CiderD = field(repr=False)

    def figures(self, texts: Sequence[str]) -> dict[str, tuple[float, np.ndarray]]:
        """Give figure and items of CIDEr-D and BLEU for one text per image, key -> (value, (I,))."""
        words = [split_words(text) for text in texts]
        cider = self.cider.score(words)
        counts = bleu_counts(words, self.references)
        whole, parts = bleu(counts), bleu_parts(counts)
        found = {"cider_d": (float(cider.mean()), cider)}
        return found | {f"bleu_{n + 1}": (float(whole[n]), parts[:, n]) for n in range(len(whole))}


def evaluate_captions(
    learner: CaptionLearner,
    feed: Feed,
    recipe: Recipe,
    *,
    split: str,
    limit: int | None = None,
    known: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Write a caption for every image of a split and compare it with all captions that the image has.

    Words are compared in lower case without punctuation, whatever tokeniser the run reads. Captions are written by the
    recipe's beam; for curves, greedily.

    Arguments:
        limit: only the split's first images, and the figures that are `on_curve`, with pictures of one image's words
        known: `details` of an earlier evaluation: its most common training caption is used where the feed has no train
    Returns: an `Evaluation` whose `answers` are `CaptionAnswers`.
    Raises:
        InputError: the split holds no caption.
    """
    began = time.perf_counter()
    images = _images(feed, split, limit)
    decoding = Decoding.of(recipe.fusion)
    beam = decoding.beam if limit is None else 1
    writer = Writer(learner, beam=beam, length_penalty=decoding.length_penalty)
    precision = resolve_precision(recipe.train.precision, feed.device.type)
    pictures: Mapping[str, np.ndarray] = {}
    with eval_mode(learner.model), autocast_context(precision, feed.device):
        written = _written(writer, feed, images, progress)
        blank = "" if limit is not None else _blank(writer, feed, images[0])
        if limit is not None:
            pictures = sample_pictures(writer, feed, images[0])
    scored = _scored(feed, images, written)
    if limit is None:
        baselines = Baselines.of(feed, images, known=known)
        found, details, flags = _full(scored, baselines, blank)
        details = {"decoding": vars(decoding), **details, **_vocabulary(learner, feed, recipe, scored)}
    else:
        found, details, flags = _plain(scored), {}, ()
        found = {key: one for key, one in found.items() if METRIC_OF[key].on_curve}
    return Evaluation(
        split=split,
        images=tuple(images),
        captions=tuple(scored.rows),
        measured=tuple(
            Measured(metric, found[metric.key][0], found[metric.key][1], np.ones(len(images)))
            for metric in METRICS
            if metric.key in found
        ),
        score_kind="log-probability",
        flags=flags,
        details=details,
        eval_s=time.perf_counter() - began,
        answers=CaptionAnswers(written, found["cider_d"][1]),
        pictures=pictures,
    )


def _images(feed: Feed, split: str, limit: int | None) -> list[int]:
    with_captions = set(feed.image_of.tolist())
    images = [int(image) for image in feed.collection.splits[split] if image in with_captions][:limit]
    if not images:
        raise InputError(
            f"data {feed.collection.name!r}: split {split!r} holds no caption; there is nothing to measure"
        )
    return images


def _written(
    writer: Writer, feed: Feed, images: Sequence[int], progress: Callable[[int, int], None] | None
) -> list[Written]:
    written: list[Written] = []
    for start in range(0, len(images), IMAGES_AT_ONCE):
        written += writer.write(feed.encode_images(images[start : start + IMAGES_AT_ONCE]))
        if progress is not None:
            progress(len(written), len(images))
    return written


def _blank(writer: Writer, feed: Feed, image: int) -> str:
    """Give the caption of an image whose tokens are all 0; it is the same for every image."""
    tokens = feed.encode_images([image])
    return writer.write(blanked(tokens))[0].text


def blanked(tokens: Tokens) -> Tokens:
    """Set an image's tokens (B, P, D) and summary to 0."""
    pooled = None if tokens.pooled is None else torch.zeros_like(tokens.pooled)
    return replace(tokens, values=torch.zeros_like(tokens.values), pooled=pooled)


def _scored(feed: Feed, images: list[int], written: list[Written]) -> _Scored:
    rows = np.flatnonzero(np.isin(feed.image_of, images)).tolist()
    references = references_of(feed.collection, images)
    return _Scored(images, rows, references, written, CiderD(references))


def _plain(scored: _Scored) -> dict[str, tuple[float, np.ndarray]]:
    return scored.figures([one.text for one in scored.written])


def _full(
    scored: _Scored, baselines: Baselines, blank: str
) -> tuple[dict[str, tuple[float, np.ndarray]], dict[str, Any], tuple[str, ...]]:
    """Give every figure with its items, the details, and the flags."""
    texts = [one.text for one in scored.written]
    found = _plain(scored)
    items = {
        "rouge_l": rouge_l([split_words(text) for text in texts], scored.references),
        "distinct": variety_parts(texts),
        "same": most_common_parts(texts),
        "words": np.array([float(len(split_words(text))) for text in texts]),
    }
    found |= {key: (float(values.mean()), values) for key, values in items.items()}
    others = {"other_image": exchanged(texts), "no_image": [blank] * len(texts), **baselines.texts}
    for kind, said in others.items():
        for key, one in scored.figures(said).items():
            if baseline_key(key, kind) in METRIC_OF:
                found[baseline_key(key, kind)] = one
    fall = paired_difference(
        found["cider_d"][1], found[baseline_key("cider_d", "other_image")][1], resamples=FALL_RESAMPLES
    )
    variety = variety_of(texts, scored.references)
    flags: tuple[str, ...] = (SAYS_THE_SAME,) if variety["says_the_same"] else ()
    flags += (IGNORES_IMAGE,) if fall.low <= 0 else ()
    details = {
        **baselines.details,
        "blank": blank,
        "variety": variety,
        "fall_with_other_image": {"difference": fall.difference, "low": fall.low, "high": fall.high},
    }
    return found, details, flags


def exchanged(texts: Sequence[str]) -> list[str]:
    """Give each image the text of another one, drawn with a fixed seed; none keeps its own where there are two or more.

    Neighbours in a data set may be alike, so it is not the next one's.
    """
    order = np.random.default_rng(0).permutation(len(texts))
    source = np.empty_like(order)
    source[order] = np.roll(order, 1)
    return [texts[place] for place in source]


def variety_of(texts: Sequence[str], references: Sequence[Sequence[Sequence[str]]]) -> dict[str, Any]:
    """Say how many captions differ, and whether a model says the same of every photo."""
    distinct = len(set(texts))
    theirs = len({tuple(words) for own in references for words in own})
    same = len(texts) > 1 and distinct <= max(1, _DISTINCT_SHARE * len(texts)) and theirs > _REFERENCES_MORE * distinct
    sentence = f"{distinct:,} distinct caption{'s' if distinct != 1 else ''} in {len(texts):,}"
    return {
        "distinct": distinct,
        "images": len(texts),
        "distinct_references": theirs,
        "says_the_same": bool(same),
        "sentence": f"{SAYS_THE_SAME}: {sentence}" if same else sentence,
    }


def _vocabulary(learner: CaptionLearner, feed: Feed, recipe: Recipe, scored: _Scored) -> dict[str, Any]:
    texts = [feed.collection.captions[row].text for row in scored.rows]
    found = coverage_of(learner.words, texts, min_count=recipe.text.min_count)
    return {"vocabulary": found.to_json()}
