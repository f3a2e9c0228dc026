"""CIDEr-D of captions: agreement in the n-grams that are rare among the references."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from plait.core.errors import ShapeError
from plait.metrics.caption.ngrams import MOST_WORDS, Words, check_captions, count_ngrams

__all__ = ["CiderD"]

SIGMA = 6.0
_Vectors = list[dict[tuple[str, ...], float]]


class CiderD:
    """CIDEr-D against the references of a set of images.

    Formula: an n-gram's weight is its count times log(I / max(1, images of which some reference has it)). For a caption
    c and a reference s, sim_n = sum over n-grams of min(c, s) s / (|c| |s|) times exp(-(l_c - l_s)^2 / (2 * 6^2)), with
    l the number of words; CIDEr-D = 10 times the mean of sim_n over n = 1 .. 4 and over the references.

    The references are prepared once; captions of other origins (baselines, ablations) are then scored quickly.

    Arguments:
        references: of I images, each a sequence of texts as words
    Units: published values times 100, as papers print them: 48 where the formula above gives 0.48. At most 1000.
    Undefined when: there is one image; log(1) is 0, and so is every weight and score.
    Raises:
        InputError: no image, or one without a reference.
    Source: Vedantam et al. 2015, section 6 ("CIDEr-D"), with document frequencies of the references that are scored
    against, as in the COCO caption evaluation; that one's length is the number of pairs of words. So is ours: it
    differs from the number of words by one in both texts, and only the difference counts, but for texts without words.
    """

    def __init__(self, references: Sequence[Sequence[Words]]) -> None:
        check_captions([()] * len(references), references)
        counted = [[_counts(one) for one in own] for own in references]
        images = Counter(ngram for own in counted for ngram in {ngram for one in own for ngram in one})
        self._log_images = math.log(len(references))
        self._log_of = {ngram: math.log(max(1, count)) for ngram, count in images.items()}
        self._references = [[self._weighted(one) for one in own] for own in counted]
        self._lengths = [[_pairs(one) for one in own] for own in references]

    def score(self, candidates: Sequence[Words]) -> np.ndarray:
        """Score one caption per image.

        Shapes: returns (I,) float; the figure of the set is the mean.
        Raises:
            ShapeError: there is not one caption per image.
        """
        if len(candidates) != len(self._references):
            raise ShapeError(
                f"captions: expected one for each of {len(self._references)} images, got {len(candidates)}"
            )
        return np.array([self._of(i, words) for i, words in enumerate(candidates)])

    def _of(self, image: int, words: Words) -> float:
        vectors, norms = self._weighted(_counts(words))
        length, total = _pairs(words), 0.0
        own = self._references[image]
        for (theirs, their_norms), their_length in zip(own, self._lengths[image], strict=True):
            near = math.exp(-((length - their_length) ** 2) / (2 * SIGMA**2))
            for n in range(MOST_WORDS):
                both = sum(min(w, theirs[n][k]) * theirs[n][k] for k, w in vectors[n].items() if k in theirs[n])
                if norms[n] and their_norms[n]:
                    total += near * both / (norms[n] * their_norms[n])
        return 1000 * total / (MOST_WORDS * len(own))

    def _weighted(self, counts: Counter[tuple[str, ...]]) -> tuple[_Vectors, list[float]]:
        vectors: _Vectors = [{} for _ in range(MOST_WORDS)]
        for ngram, count in counts.items():
            vectors[len(ngram) - 1][ngram] = count * (self._log_images - self._log_of.get(ngram, 0.0))
        return vectors, [math.sqrt(sum(w * w for w in vector.values())) for vector in vectors]


def _counts(words: Words) -> Counter[tuple[str, ...]]:
    found: Counter[tuple[str, ...]] = Counter()
    for n in range(1, MOST_WORDS + 1):
        found.update(count_ngrams(words, n))
    return found


def _pairs(words: Words) -> int:
    return max(0, len(words) - 1)
