"""BLEU of captions: of all of them together, and its linear parts by image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plait.metrics.caption.ngrams import MOST_WORDS, Words, check_captions, count_ngrams

__all__ = ["BleuCounts", "bleu", "bleu_counts", "bleu_parts"]


@dataclass(frozen=True)
class BleuCounts:
    """What BLEU is made of, for I images.

    Fields:
        matched: (I, 4) float, n-grams of the caption that a reference has too, for n = 1 to 4; an n-gram counts at most
                 as often as in the reference that has it most often
        total:   (I, 4) float, n-grams of the caption
        length:  (I,) float, words of the caption
        closest: (I,) float, words of the reference whose length is closest to the caption's; of two, the shorter
    """

    matched: np.ndarray
    total: np.ndarray
    length: np.ndarray
    closest: np.ndarray


def bleu_counts(candidates: Sequence[Words], references: Sequence[Sequence[Words]]) -> BleuCounts:
    """Count n-grams and lengths of one caption per image against its references.

    Raises:
        InputError, ShapeError: see `check_captions`.
    """
    check_captions(candidates, references)
    matched, total = (np.zeros((len(candidates), MOST_WORDS)) for _ in range(2))
    closest = np.zeros(len(candidates))
    for i, (words, own) in enumerate(zip(candidates, references, strict=True)):
        closest[i] = min((abs(len(one) - len(words)), len(one)) for one in own)[1]
        for n in range(1, MOST_WORDS + 1):
            counts, most = count_ngrams(words, n), Counter[tuple[str, ...]]()
            for one in own:
                most |= count_ngrams(one, n)
            matched[i, n - 1] = (counts & most).total()
            total[i, n - 1] = counts.total()
    return BleuCounts(matched, total, np.array([float(len(words)) for words in candidates]), closest)


def bleu(counts: BleuCounts) -> np.ndarray:
    """Give BLEU-1 to BLEU-4 of all captions together.

    Formula: BLEU-N = min(1, exp(1 - r / c)) * (product over n = 1 .. N of sum matched_n / sum total_n) ^ (1 / N), with
    c the captions' words and r the sum of closest reference lengths.

    Shapes: returns (4,) float.
    Units: percent.
    Undefined when: no caption has N words; then 0, as where no n-gram matches. No smoothing.
    Source: Papineni et al. 2002, with the closest reference length, as in the COCO caption evaluation. Differs: that
    one adds 1e-15 to matches and 1e-9 to totals.
    """
    matched, total = counts.matched.sum(0), counts.total.sum(0)
    c, r = counts.length.sum(), counts.closest.sum()
    brevity = 1.0 if c >= r or c == 0 else float(np.exp(1 - r / c))
    precision = matched / np.maximum(total, 1)
    with np.errstate(divide="ignore"):
        means = np.exp(np.cumsum(np.log(precision)) / np.arange(1, MOST_WORDS + 1))
    result: np.ndarray = 100.0 * brevity * means
    return result


def bleu_parts(counts: BleuCounts) -> np.ndarray:
    """Give each image's linear part of BLEU-1 to BLEU-4, for intervals and paired tests.

    BLEU is no mean over images: its counts are summed first. Part i is BLEU + I * (gradient of BLEU at the mean counts)
    times (counts of i - mean counts) / I, so the parts' mean is BLEU itself, and their spread is that of BLEU to first
    order (the infinitesimal jackknife). A single part may lie below 0 or above 100; it is no score of its caption.

    Formula: log BLEU-N = 1/N sum_n (log m_n - log t_n) + min(0, 1 - r / c); part = BLEU (1 + 1/N sum_n (m_ni / m_n -
    t_ni / t_n) + (r c_i / c - r_i) / c where c < r), with m_n, t_n, c, r the means over images.

    Shapes: returns (I, 4) float, percent; column N - 1 is 0 throughout where BLEU-N is 0.
    Source: Efron 1982, section 6. Differs: nothing known.
    """
    figures = bleu(counts)
    m, t = counts.matched.mean(0), counts.total.mean(0)
    c, r = counts.length.mean(), counts.closest.mean()
    relative = counts.matched / np.where(m > 0, m, 1) - counts.total / np.where(t > 0, t, 1)
    pull = np.cumsum(relative, 1) / np.arange(1, MOST_WORDS + 1)
    if 0 < c < r:
        pull = pull + ((r * counts.length / c - counts.closest) / c)[:, None]
    result: np.ndarray = figures * (1 + pull)
    return result
