"""ROUGE-L of captions: the longest common subsequence of words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plait.metrics.caption.ngrams import Words, check_captions

__all__ = ["common_length", "rouge_l"]

BETA = 1.2


def common_length(one: Words, other: Words) -> int:
    """Give the length of the longest common subsequence of two texts.

    Example:
        >>> common_length("a black dog runs".split(), "a dog that runs".split())
        3
    """
    row = [0] * (len(other) + 1)
    for word in one:
        diagonal = 0
        for j, against in enumerate(other, start=1):
            above = row[j]
            row[j] = diagonal + 1 if word == against else max(above, row[j - 1])
            diagonal = above
    return row[-1]


def rouge_l(candidates: Sequence[Words], references: Sequence[Sequence[Words]]) -> np.ndarray:
    """Score each image's caption by its longest common subsequence with a reference.

    Formula: P = max over references of LCS / words of the caption, R = max over references of LCS / words of the
    reference, F = (1 + b^2) P R / (R + b^2 P) with b = 1.2. The two maxima may be of different references.

    Shapes: returns (I,) float.
    Units: percent; the figure of a set is the mean.
    Undefined when: nothing is in common, or a text has no words; then 0.
    Raises:
        InputError, ShapeError: see `check_captions`.
    Source: Lin 2004, as in the COCO caption evaluation.
    """
    check_captions(candidates, references)
    found = np.zeros(len(candidates))
    for i, (words, own) in enumerate(zip(candidates, references, strict=True)):
        common = [(common_length(words, one), len(one)) for one in own]
        precision = max(both for both, _ in common) / max(1, len(words))
        recall = max(both / max(1, count) for both, count in common)
        if precision > 0:
            found[i] = 100 * (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)
    return found
