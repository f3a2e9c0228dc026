"""What captions are learned from and measured against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from plait.core.errors import InputError
from plait.data.collection import Collection
from plait.data.text import UNK, WordInput, split_words

__all__ = ["CaptionRows", "Coverage", "check_captions", "coverage_of", "most_common", "references_of"]

# Captions that a vocabulary's coverage is measured on; more would not move it.
SAMPLED = 5000


class CaptionRows:
    """The targets of a batch: which captions it holds. Their words come with the batch as they are read."""

    def take(self, rows: np.ndarray, view: np.ndarray, /) -> Tensor:
        """Give the captions' numbers, (B,) int64."""
        return torch.from_numpy(np.asarray(rows, dtype=np.int64))


def check_captions(collection: Collection) -> None:
    """Refuse data without captions to learn from.

    Raises:
        InputError: there is no caption, or the texts are questions with answers or names of classes.
    """
    if not collection.captions:
        raise InputError(f"data {collection.name!r}: task 'caption' needs captions, and there is none")
    if collection.has_answers:
        raise InputError(
            f"data {collection.name!r}: its texts are questions with answers, or its images have classes; task "
            "'caption' needs sentences that say what is in an image"
        )


def references_of(collection: Collection, images: Sequence[int]) -> list[list[list[str]]]:
    """Give the words of all captions of each image, as metrics compare them: lower case, no punctuation."""
    of_image: dict[int, list[list[str]]] = {image: [] for image in images}
    for caption in collection.captions:
        if caption.image in of_image:
            of_image[caption.image].append(split_words(caption.text))
    return [of_image[image] for image in images]


def most_common(texts: Sequence[str]) -> str:
    """Give the text that is there most often; of equals, the one whose words are the most common, then the first.

    Where captions hardly repeat, that is the one most like the others.
    """
    words = Counter(word for text in texts for word in set(split_words(text)))
    counts = Counter(texts)

    def rank(text: str) -> tuple[int, float]:
        own = split_words(text)
        return counts[text], sum(words[word] for word in own) / max(1, len(own)) if len(own) > 2 else 0.0

    return max(dict.fromkeys(texts), key=rank)


@dataclass(frozen=True)
class Coverage:
    """How much of the captions a vocabulary can say.

    Fields:
        words:     known words
        min_count: how often a word must be there among the training captions to be known
        covered:   share of the words of the split's captions that are known, in percent
        cut:       share of the split's captions that are longer than the model writes, in percent
    """

    words: int
    min_count: int
    covered: float
    cut: float

    def to_json(self) -> dict[str, Any]:
        """Give it as plain data."""
        return asdict(self)


def coverage_of(words: WordInput, texts: Sequence[str], *, min_count: int) -> Coverage:
    """Measure a vocabulary on captions."""
    texts = texts[:SAMPLED]
    known = total = cut = 0
    for text in texts:
        pieces = words.whole(text)
        known += sum(words.vocabulary.number(word) != UNK for word in pieces)
        total += len(pieces)
        cut += len(pieces) > words.max_tokens - 2
    return Coverage(
        words=len(words.vocabulary.words),
        min_count=min_count,
        covered=100 * known / max(1, total),
        cut=100 * cut / max(1, len(texts)),
    )
