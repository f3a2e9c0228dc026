"""Does a score order near misses? Its rank correlation with how alike the captions are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from plait.core.errors import ShapeError
from plait.metrics.numbers import as_numbers

__all__ = ["agreement", "average_ranks", "caption_relevance", "word_vectors"]

_CAPTIONS_PER_BLOCK = 512


def agreement(
    scores: np.ndarray | Tensor, relevance: np.ndarray, caption_image: Sequence[int] | np.ndarray
) -> np.ndarray:
    """Give, for each caption, the rank correlation of its scores with the relevance of the images, its own left out.

    Formula: Spearman's rho over the images i other than the caption's own: the correlation of the ranks of
        scores[i, c] and relevance[i, c]; equal values share the mean of their ranks.

    Recall at k asks for the one right image. Of the wrong ones some show nearly the same; a score that is of use puts
    them before images of something else.

    Shapes: scores, relevance (I, C) float; caption_image (C,) int in [0, I); returns (C,) float64 in [-1, 1]
    Undefined when: all other images have one score or one relevance, or there are fewer than 2; it is 0 then.
    Raises:
        ShapeError: shapes do not fit.
    Source: Spearman 1904. For retrieval by graded relevance see Messina et al. 2021 (TERN), who take the normalised
        discounted gain of the first 25 images and ROUGE-L; differs: all images count, and words are weighted.
    """
    table, owner = as_numbers(scores), as_numbers(caption_image)
    if table.ndim != 2 or table.shape != relevance.shape or owner.shape != (table.shape[1],):
        raise ShapeError(
            "scores, relevance and caption_image: expected (images, captions) twice and (captions,), got "
            f"{table.shape}, {relevance.shape} and {owner.shape}"
        )
    found = np.zeros(table.shape[1])
    others = np.ones(table.shape[0], dtype=bool)
    for c, own in enumerate(owner):
        others[own] = False
        found[c] = _correlation(average_ranks(table[others, c]), average_ranks(relevance[others, c]))
        others[own] = True
    return found


def average_ranks(values: np.ndarray) -> np.ndarray:
    """Give ranks from 1 up, (N,) float64; equal values share the mean of their ranks.

    Example:
        >>> average_ranks(np.array([0.5, 0.1, 0.5])).tolist()
        [2.5, 1.0, 2.5]
    """
    ordered = np.sort(values)
    below, through = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    ranks: np.ndarray = (below + through + 1) / 2
    return ranks


def word_vectors(texts: Sequence[Sequence[str]], *, device: torch.device) -> Tensor:
    """Give one unit vector per text: counts of its words, rarer words more.

    Formula: count(word in text) * ln(N / number of the N texts with the word), then divided by its length; a text whose
        words are in every text is 0.

    Shapes: N texts, each a list of words -> (N, V) float32
    Source: Sparck Jones 1972; Salton and Buckley 1988.
    """
    occurs = Counter(word for text in texts for word in set(text))
    column = {word: n for n, word in enumerate(sorted(occurs))}
    vectors = torch.zeros(len(texts), max(1, len(column)), device=device)
    for row, text in enumerate(texts):
        for word, count in Counter(text).items():
            vectors[row, column[word]] = count * math.log(len(texts) / occurs[word])
    return vectors / vectors.norm(dim=1, keepdim=True).clamp_min(1e-12)


def caption_relevance(vectors: Tensor, caption_image: Sequence[int] | np.ndarray, images: int) -> np.ndarray:
    """Give how much each image has to do with each caption: the largest cosine with one of the image's captions.

    Shapes: vectors (C, V) float of unit length; caption_image (C,) int in [0, images); returns (images, C) float32 in
        [0, 1] for vectors without negative entries; 0 for an image without captions
    """
    owner = torch.as_tensor(as_numbers(caption_image), dtype=torch.int64, device=vectors.device)
    blocks = []
    for block in vectors.split(_CAPTIONS_PER_BLOCK):
        with torch.autocast(vectors.device.type, enabled=False):
            cosine = vectors @ block.T
        place = owner[:, None].expand_as(cosine)
        blocks.append(cosine.new_zeros(images, len(block)).scatter_reduce(0, place, cosine, "amax"))
    joined: np.ndarray = torch.cat(blocks, 1).numpy(force=True)
    return joined


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    if len(a) < 2:
        return 0.0
    a, b = a - a.mean(), b - b.mean()
    spread = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / spread if spread > 0 else 0.0
