"""WUPS: answers compared by how near their words are in WordNet's tree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.util import find_spec
from math import prod

__all__ = ["Similarity", "wordnet_similarity", "wups"]

# Two words -> how alike they are, in [0, 1].
Similarity = Callable[[str, str], float]
# What a similarity below the threshold is multiplied with.
BELOW = 0.1


def wups(answer: str, right: str, similarity: Similarity, *, threshold: float) -> float:
    """Compare two answers, each of one or several things divided by commas.

    Formula: min(prod over a in A of max over t in T of s(a, t), prod over t in T of max over a in A of s(a, t)), where
    s = similarity, times 0.1 where it is below the threshold.

    Arguments:
        similarity: Wu and Palmer's, see `wordnet_similarity`
        threshold:  0.9 (nearly synonyms) or 0.0 (any nearness counts in full)
    Returns: in [0, 1].
    Source: Malinowski & Fritz 2014, equation 7.
    Example:
        >>> wups("a, b", "b, a", lambda x, y: float(x == y), threshold=0.9)
        1.0
    """
    said, true = _things(answer), _things(right)
    if not said or not true:
        return float(said == true)

    def near(one: str, other: str) -> float:
        value = 1.0 if one == other else similarity(one, other)
        return value if value >= threshold else BELOW * value

    forward = prod(max(near(a, t) for t in true) for a in said)
    backward = prod(max(near(a, t) for a in said) for t in true)
    return min(forward, backward)


def wordnet_similarity() -> Similarity | None:
    """Give Wu and Palmer's similarity of nouns from nltk's WordNet; None where nltk or its data is not installed.

    Formula: the largest over both words' senses of 2 depth(lowest common ancestor) / (depth(a) + depth(b)); 0 for words
    that WordNet does not have. Nothing is downloaded.
    """
    if find_spec("nltk") is None:
        return None
    from nltk.corpus import wordnet

    try:
        wordnet.ensure_loaded()
    except LookupError:
        return None

    @lru_cache(maxsize=100_000)
    def similarity(one: str, other: str) -> float:
        senses = [wordnet.synsets(word.replace(" ", "_"), pos="n") for word in (one, other)]
        values = [a.wup_similarity(b) or 0.0 for a in senses[0] for b in senses[1]]
        return float(max(values, default=0.0))

    return similarity


def _things(answer: str) -> Sequence[str]:
    return [thing.strip() for thing in answer.split(",") if thing.strip()]
