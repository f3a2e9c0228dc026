"""Rank images for captions and captions for images: recall, median rank, average precision.

Everything here depends only on the *order* of the scores, so any increasing transform of them (a temperature, a
sigmoid) leaves every number unchanged, up to ties that rounding makes or breaks.

Tie rule, everywhere: the expected value over all orders of the tied candidates. Constant scores therefore give
exactly what chance gives, never 100 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from plait.core.errors import InputError, ShapeError
from plait.metrics.numbers import as_numbers

__all__ = [
    "ImageContributions",
    "Ranks",
    "hits",
    "image_contributions",
    "image_to_text",
    "mean_average_precision",
    "median_rank",
    "recall_at",
    "retrieval_metrics",
    "text_to_image",
]

# Comparing every score with the true one makes a boolean block; this many entries of it at a time.
_BLOCK_ENTRIES = 16_000_000


@dataclass(frozen=True)
class Ranks:
    """The rank of the first right candidate of each query.

    Fields:
        query:             (N,) int64, number of the caption (text-to-image) or of the image (image-to-text)
        rank:              (N,) float64 >= 1, expected rank of the best right candidate; a fraction where ties are
        average_precision: (N,) float64 in (0, 1], expected average precision over all right candidates
        better:            (N,) int64, candidates that score strictly higher than the best right one
        tied_wrong:        (N,) int64, wrong candidates that score the same as it
        tied_right:        (N,) int64 >= 1, right candidates that score the same as it, itself included
    """

    query: np.ndarray
    rank: np.ndarray
    average_precision: np.ndarray
    better: np.ndarray
    tied_wrong: np.ndarray
    tied_right: np.ndarray

    def __len__(self) -> int:
        return len(self.query)


@dataclass(frozen=True)
class ImageContributions:
    """What each image adds to each metric, for resampling images.

    A metric that is a mean equals `sum(values * weights) / sum(weights)` with its own values and weights.

    Fields:
        values:    metric name -> (I,) float64; for text-to-image the mean over the image's captions; 0 where the image
                   has no caption (its weight is 0 too)
        captions:  (I,) int64, number of captions of each image
        t2i_ranks: (C,) float64, rank of the right image for each caption (for the bootstrap of the median)
        i2t_ranks: (N,) float64, rank of the best right caption for each image with a caption
        i2t_image: (N,) int64, which image that is
    """

    values: dict[str, np.ndarray]
    captions: np.ndarray
    t2i_ranks: np.ndarray
    i2t_ranks: np.ndarray
    i2t_image: np.ndarray

    def weights(self, metric: str) -> np.ndarray:
        """Give (I,) float64: how much each image counts in `metric`."""
        if metric.startswith("t2i_"):
            return self.captions.astype(np.float64)
        return (self.captions > 0).astype(np.float64)


def text_to_image(scores: np.ndarray | Tensor, caption_image: Sequence[int] | np.ndarray | Tensor) -> Ranks:
    """Rank the right image of every caption among all images.

    Formula: with g images scoring higher and t wrong images scoring the same, the expected rank is g + 1 + t / 2 and
    the expected reciprocal rank (H(g + t + 1) - H(g)) / (t + 1), H the harmonic numbers.

    Shapes:
        scores:        (I, C) float, image i against caption c, higher = better; infinities are allowed
        caption_image: (C,) int in [0, I), the image each caption belongs to
        returns:       C queries, in the order of the captions
    Score scale: any; only the order counts.
    Undefined when: there is no caption or no image (an error). An image without captions is a candidate like any other.
    Raises:
        ShapeError: shapes do not fit.
        InputError: a score is not a number, or `caption_image` names an image that is not there.
    Example:
        >>> text_to_image(np.array([[0.9, 0.8], [0.1, 0.2]]), [0, 1]).rank.tolist()
        [1.0, 2.0]
    """
    table, owner = _checked(scores, caption_image)
    images, captions = table.shape
    true = table[owner, np.arange(captions)]
    better = np.empty(captions, dtype=np.int64)
    tied = np.empty(captions, dtype=np.int64)
    step = max(1, _BLOCK_ENTRIES // images)
    for start in range(0, captions, step):
        part = slice(start, start + step)
        better[part] = (table[:, part] > true[part]).sum(axis=0)
        tied[part] = (table[:, part] == true[part]).sum(axis=0)
    return Ranks(
        query=np.arange(captions),
        rank=better + (tied + 1) / 2,
        average_precision=_tied_precision(better, tied, np.zeros_like(better), np.ones_like(better)),
        better=better,
        tied_wrong=tied - 1,
        tied_right=np.ones_like(tied),
    )


def image_to_text(scores: np.ndarray | Tensor, caption_image: Sequence[int] | np.ndarray | Tensor) -> Ranks:
    """Rank the captions for every image: the best right one's rank, and average precision over all right ones.

    Formula: with g wrong captions scoring higher than the best right one, t wrong and m right captions scoring the
    same, the expected rank is g + (t + m + 1) / (m + 1). Average precision is the mean, over the image's right ones,
    of the precision at their place, again expected over the order of ties.

    Shapes:
        scores:        (I, C) float, image i against caption c, higher = better; infinities are allowed
        caption_image: (C,) int in [0, I); an image may have any number of captions
        returns:       one query per image that has a caption, in the order of the images
    Score scale: any; only the order counts.
    Undefined when: there is no caption or no image (an error). An image without captions is no query and is left out.
    Raises:
        ShapeError: shapes do not fit.
        InputError: a score is not a number, or `caption_image` names an image that is not there.
    Source: expected average precision under ties, McSherry and Najork 2008 (ECIR), here in closed form.
    Example:
        >>> image_to_text(np.array([[0.9, 0.8, 0.1]]), [0, 0, 0]).average_precision.tolist()
        [1.0]
    """
    table, owner = _checked(scores, caption_image)
    rows = np.unique(owner)
    order = np.argsort(owner, kind="stable")
    groups = np.split(order, np.searchsorted(owner[order], rows[1:]))
    better, tied, right = (np.empty(len(rows), dtype=np.int64) for _ in range(3))
    precision = np.empty(len(rows))
    for n, (row, mine) in enumerate(zip(rows, groups, strict=True)):
        ascending = np.sort(table[row])
        values = np.sort(table[row, mine])
        above = len(ascending) - np.searchsorted(ascending, values, side="right")
        same = len(ascending) - np.searchsorted(ascending, values, side="left") - above
        above_right = len(values) - np.searchsorted(values, values, side="right")
        same_right = len(values) - np.searchsorted(values, values, side="left") - above_right
        precision[n] = _tied_precision(above, same, above_right, same_right).mean()
        better[n], tied[n], right[n] = above[-1], same[-1], same_right[-1]
    wrong = tied - right
    return Ranks(
        query=rows,
        rank=better + (tied + 1) / (right + 1),
        average_precision=precision,
        better=better,
        tied_wrong=wrong,
        tied_right=right,
    )


def hits(ranks: Ranks, k: int) -> np.ndarray:
    """Give each query's chance of a right candidate among the first `k`: (N,) float64 in [0, 1].

    Formula: 0 if k <= g, else 1 - prod over j < k - g of (t - j) / (t + m - j), with g better, t wrong and m right
    candidates tied with the best right one. Without ties it is 0 or 1.

    Raises:
        InputError: k is below 1.
    """
    if k < 1:
        raise InputError(f"k of recall at k: expected a whole number of at least 1, got {k}")
    miss = np.ones(len(ranks))
    wrong, total = ranks.tied_wrong, ranks.tied_wrong + ranks.tied_right
    for j in range(k):
        drawn = k - ranks.better > j
        if not drawn.any():
            break
        miss[drawn] *= np.maximum(wrong[drawn] - j, 0) / np.maximum(total[drawn] - j, 1)
    return 1.0 - miss


def recall_at(ranks: Ranks, k: int) -> float:
    """Give the percentage of queries with a right candidate among the first `k`: in [0, 100], ties by expectation.

    Raises:
        InputError: k is below 1.
    """
    return float(hits(ranks, k).mean() * 100.0)


def median_rank(ranks: Ranks) -> float:
    """Give the median over queries of the expected rank of the best right candidate, from 1 up."""
    return float(np.median(ranks.rank))


def mean_average_precision(ranks: Ranks) -> float:
    """Give the mean over queries of average precision, in percent: in (0, 100]."""
    return float(ranks.average_precision.mean() * 100.0)


def retrieval_metrics(
    scores: np.ndarray | Tensor,
    caption_image: Sequence[int] | np.ndarray | Tensor,
    *,
    ks: Sequence[int] = (1, 5, 10),
) -> dict[str, float]:
    """Give every retrieval metric both ways, under the names that results.json uses.

    Shapes:
        scores:        (I, C) float, image i against caption c
        caption_image: (C,) int in [0, I)
    Units: recalls (`t2i_r1`, ...) and mean average precision (`t2i_map`, ...) in percent; median ranks from 1 up.
    Raises:
        ShapeError, InputError: as `text_to_image`.
    Example:
        >>> retrieval_metrics(np.eye(3), [0, 1, 2], ks=(1,))["i2t_r1"]
        100.0
    """
    result: dict[str, float] = {}
    for name, ranks in (
        ("t2i", text_to_image(scores, caption_image)),
        ("i2t", image_to_text(scores, caption_image)),
    ):
        result.update({f"{name}_r{k}": recall_at(ranks, k) for k in ks})
        result[f"{name}_median_rank"] = median_rank(ranks)
        result[f"{name}_map"] = mean_average_precision(ranks)
    return result


def image_contributions(
    scores: np.ndarray | Tensor,
    caption_image: Sequence[int] | np.ndarray | Tensor,
    *,
    ks: Sequence[int] = (1, 5, 10),
) -> ImageContributions:
    """Split every metric into what each image adds, so that images (not captions) can be resampled.

    Captions of one image are right or wrong together; treating them as independent makes intervals too narrow.

    Shapes:
        scores:        (I, C) float, image i against caption c
        caption_image: (C,) int in [0, I)
    Units: percent.
    Raises:
        ShapeError, InputError: as `text_to_image`.
    Relations: the weighted mean of `values[name]` equals `retrieval_metrics(...)[name]`; a test holds them equal.
    """
    images = scores.shape[0] if scores.ndim else 0
    by_text = text_to_image(scores, caption_image)
    by_image = image_to_text(scores, caption_image)
    owner = as_numbers(caption_image)
    captions = np.bincount(owner, minlength=images)
    values: dict[str, np.ndarray] = {}

    def add(name: str, text_part: np.ndarray, image_part: np.ndarray) -> None:
        sums = np.bincount(owner, weights=text_part, minlength=images)
        values[f"t2i_{name}"] = 100.0 * sums / np.maximum(captions, 1)
        spread = np.zeros(images)
        spread[by_image.query] = 100.0 * image_part
        values[f"i2t_{name}"] = spread

    for k in ks:
        add(f"r{k}", hits(by_text, k), hits(by_image, k))
    add("map", by_text.average_precision, by_image.average_precision)
    return ImageContributions(values, captions, by_text.rank, by_image.rank, by_image.query)


def _checked(scores: Any, caption_image: Any) -> tuple[np.ndarray, np.ndarray]:
    table, owner = as_numbers(scores), as_numbers(caption_image)
    if table.ndim != 2 or owner.ndim != 1 or table.shape[1] != len(owner):
        raise ShapeError(
            "scores and caption_image: expected (images, captions) and (captions,), "
            f"got {table.shape} and {owner.shape}"
        )
    if table.size == 0:
        raise InputError(f"scores: expected at least one image and one caption, got {table.shape}; is the split empty?")
    if not np.issubdtype(owner.dtype, np.integer):
        raise InputError(f"caption_image: expected whole numbers, got {owner.dtype}")
    if owner.min() < 0 or owner.max() >= table.shape[0]:
        raise InputError(
            f"caption_image: expected numbers from 0 to {table.shape[0] - 1} (one per image), "
            f"got {owner.min()} to {owner.max()}"
        )
    broken = int(np.isnan(table).sum()) if np.issubdtype(table.dtype, np.floating) else 0
    if broken:
        raise InputError(
            f"scores: {broken} of {table.size} are not numbers (NaN), so no rank is defined; the model did not train"
        )
    return table, owner.astype(np.int64)


def _tied_precision(above: np.ndarray, tied: np.ndarray, above_right: np.ndarray, tied_right: np.ndarray) -> np.ndarray:
    """Give the expected precision at the place of each right candidate.

    In a block of n tied candidates, r of them right, after s better ones of which R are right, a right candidate stands
    at place s + i with chance 1/n and has then R + 1 + (i - 1)(r - 1)/(n - 1) right ones up to itself. The sum over
    i needs only h = H(s + n) - H(s).
    """
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, int((above + tied).max()) + 1))])
    h = harmonic[above + tied] - harmonic[above]
    share = (tied_right - 1) / np.maximum(tied - 1, 1)
    expected: np.ndarray = ((above_right + 1) * h + share * (tied - (above + 1) * h)) / tied
    return expected
