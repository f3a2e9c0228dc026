"""Evaluation of a split: scores, retrieval metrics both ways, and the counterfactual binding test."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from plait.core.errors import InputError
from plait.core.types import Tokens
from plait.metrics.retrieval import binding_accuracy, photo_contributions, retrieval_metrics
from plait.metrics.statistics import bootstrap_interval, bootstrap_median
from plait.model import FusionModel
from plait.nn.precision import Precision, autocast_context
from plait.train.feed import Feed
from plait.tasks.match.score import Scorer, SplitScores

__all__ = ["Evaluation", "evaluate_split", "split_for_results", "weight_of"]

Figure = TypeVar("Figure")


@dataclass(frozen=True)
class Evaluation:
    """What a model scored on a split.

    Fields:
        split:    its name
        photos:   photo indices into the collection, in the order of the scores' rows
        captions: caption indices, in the order of the scores' columns
        scores:   the score matrices
        caption_row: (C,) the row of each caption's own photo
        by_photo: metric -> (I,) what each photo adds to it, for resampling photos
        counts:   "t2i", "i2t" or "binding" -> (I,) queries of each photo: its weight in those metrics
        ranks:    "t2i" or "i2t" -> (Q,) rank of the best right answer for each query, for the median's interval
        rank_photo: likewise (Q,) the photo, a row of the scores, that the query belongs to
        metrics:  flat figures, recalls in percent; with pairing "itm" also t2i_r1_fused and i2t_r1_fused: recall@1
                  where the fused head orders the towers' candidates alone, which tells fusions apart that share towers;
                  and t2i_r1_luck and i2t_r1_luck, where nothing orders them
        eval_s:   seconds from tokens to metrics
    """

    split: str
    photos: tuple[int, ...]
    captions: tuple[int, ...]
    scores: SplitScores
    caption_row: np.ndarray
    by_photo: dict[str, np.ndarray]
    counts: dict[str, np.ndarray]
    ranks: dict[str, np.ndarray]
    rank_photo: dict[str, np.ndarray]
    metrics: dict[str, float]
    eval_s: float

    @property
    def score_kind(self) -> str:
        """What the scores are."""
        return self.scores.kind

    @property
    def flags(self) -> tuple[str, ...]:
        """What must be said with every number."""
        return self.scores.flags

    def intervals(self) -> dict[str, dict[str, float]]:
        """Give 95 % bootstrap intervals over photos for every metric."""
        found = {}
        for name, values in self.by_photo.items():
            interval = bootstrap_interval(values, weights=self.counts[weight_of(name)], bounds=(0.0, 100.0))
            found[name] = {"mean": interval.mean, "low": interval.low, "high": interval.high}
        for way, ranks in self.ranks.items():
            interval = bootstrap_median(ranks, self.rank_photo[way])
            found[f"{way}_median_rank"] = {"mean": interval.mean, "low": interval.low, "high": interval.high}
        return found


def weight_of(metric: str) -> str:
    """Give the name in `counts` of a metric's weights: how many of its questions each photo asked."""
    way = metric.split("_")[0]
    return way if way in ("t2i", "i2t", "binding") else "mask"


def split_for_results(splits: dict[str, tuple[int, ...]]) -> str:
    """Give the split that results are reported on: "test" if there is one, else "val".

    Raises:
        InputError: neither exists; scoring the training photos would say nothing.
    """
    for name in ("test", "val"):
        if splits.get(name):
            return name
    raise InputError(
        f"the data has no test or val split (found: {', '.join(splits) or 'none'}); scores on training photos mean "
        "nothing. Give a splits.json with a val list, or leave it out and let Plait split by photo"
    )


def evaluate_split(
    model: FusionModel,
    objective: nn.Module,
    feed: Feed,
    *,
    split: str,
    rerank_k: int,
    precision: Precision,
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Score a split, every photo with every caption, and measure.

    Args:
        limit: only the split's first photos; for the curves, which select nothing
    Raises:
        InputError: the split holds fewer than 2 photos with captions; ranks would mean nothing.
    """
    began = time.perf_counter()
    photos = np.array(feed.collection.splits[split][:limit], dtype=np.int64)
    wanted = np.isin(feed.photo_of, photos)
    captions = np.flatnonzero(wanted)
    photos = photos[np.isin(photos, feed.photo_of[captions])]
    if len(photos) < 2:
        raise InputError(
            f"data {feed.collection.name!r}: split {split!r} holds {len(photos)} photo(s) with captions; ranking needs "
            "at least 2"
        )
    row_of = np.full(len(feed.collection.photos), -1, dtype=np.int64)
    row_of[photos] = np.arange(len(photos))
    caption_image = row_of[feed.photo_of[captions]]
    was_training = model.training
    model.eval()
    scorer = Scorer(model, objective, rerank_k=rerank_k)
    with autocast_context(precision), torch.no_grad():
        text, image = feed.encode_texts(captions), feed.encode_photos(photos)
        scores = scorer.split(text, image, own=torch.from_numpy(caption_image), progress=progress)
        rows, true_score, false_score = _binding(feed, scorer, captions, caption_image, text, image)
    model.train(was_training)
    t2i = scores.text_to_image.float().numpy()
    i2t = scores.image_to_text.float().numpy()
    contributions = photo_contributions(t2i, caption_image)
    values, metrics = dict(contributions.values), retrieval_metrics(t2i, caption_image)
    counts = {"t2i": contributions.captions, "i2t": (contributions.captions > 0).astype(np.int64)}
    by_image = contributions
    if scores.image_to_text is not scores.text_to_image:
        by_image = photo_contributions(i2t, caption_image)
        values |= _only("i2t", by_image.values)
        metrics |= _only("i2t", retrieval_metrics(i2t, caption_image))
    for order, matrices in scores.candidates.items():
        for way, matrix in zip(("t2i", "i2t"), matrices, strict=True):
            name = f"{way}_r1_{order}"
            values[name] = photo_contributions(matrix.float().numpy(), caption_image).values[f"{way}_r1"]
            metrics[name] = float(np.average(values[name], weights=counts[way]))
    if len(rows):
        metrics["binding_accuracy"] = binding_accuracy(true_score, false_score)
        hits = 100.0 * ((true_score > false_score) + 0.5 * (true_score == false_score))
        counts["binding"] = np.bincount(caption_image[rows], minlength=len(photos))
        sums = np.bincount(caption_image[rows], weights=hits, minlength=len(photos))
        values["binding_accuracy"] = sums / np.maximum(counts["binding"], 1)
    return Evaluation(
        split=split,
        photos=tuple(int(i) for i in photos),
        captions=tuple(int(i) for i in captions),
        scores=scores,
        caption_row=caption_image,
        by_photo=values,
        counts=counts,
        ranks={"t2i": contributions.t2i_ranks, "i2t": by_image.i2t_ranks},
        rank_photo={"t2i": caption_image, "i2t": by_image.i2t_photo},
        metrics=metrics,
        eval_s=time.perf_counter() - began,
    )


def _only(direction: str, figures: dict[str, Figure]) -> dict[str, Figure]:
    return {name: figure for name, figure in figures.items() if name.startswith(direction)}


def _binding(
    feed: Feed, scorer: Scorer, captions: np.ndarray, caption_image: np.ndarray, text: Tokens, image: Tokens
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ask, for each caption with a counterfactual, which of the two its photo scores higher.

    Returns: the captions' positions (M,), the true captions' scores (M,) and the counterfactuals' (M,).
    """
    rows = np.array(
        [n for n, caption in enumerate(captions) if int(caption) in feed.counterfactual_row], dtype=np.int64
    )
    if not len(rows):
        return rows, np.empty(0), np.empty(0)
    false_text = feed.encode_texts([feed.counterfactual_row[int(captions[n])] for n in rows])
    right_image = image.take(torch.from_numpy(caption_image[rows]))
    true_score = scorer.pairs(text.take(torch.from_numpy(rows)), right_image)
    false_score = scorer.pairs(false_text, right_image)
    return rows, true_score.float().numpy(), false_score.float().numpy()
