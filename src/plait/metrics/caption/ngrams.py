"""Runs of n words in a text, counted, and what metrics of captions are given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from plait.core.errors import InputError, ShapeError

__all__ = ["MOST_WORDS", "Words", "check_captions", "count_ngrams"]

# A text as a sequence of words.
Words = Sequence[str]
MOST_WORDS = 4


def count_ngrams(words: Words, n: int) -> Counter[tuple[str, ...]]:
    """Count the runs of n words.

    Example:
        >>> count_ngrams("a cat a cat".split(), 2)
        Counter({('a', 'cat'): 2, ('cat', 'a'): 1})
    """
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def check_captions(candidates: Sequence[Words], references: Sequence[Sequence[Words]]) -> None:
    """Refuse what cannot be scored.

    Raises:
        InputError: there is no image, or an image has no reference.
        ShapeError: there is not one caption for each image's references.
    """
    if len(candidates) != len(references):
        raise ShapeError(f"captions: expected one for each of {len(references)} images, got {len(candidates)}")
    if not candidates:
        raise InputError("captions: expected at least one image to measure, got none; is the split empty?")
    for number, own in enumerate(references):
        if not own:
            raise InputError(f"captions: image {number} has no reference; an image without captions cannot be measured")
