"""Which phrases are known to have nothing to mark in an image, and how such pairs are drawn."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property

import numpy as np

from plait.data.collection import Collection

__all__ = ["Absences", "words_of"]

_WORD = re.compile(r"\w+")
_ARTICLES = frozenset(("a", "an", "the"))
# An image with one phrase may have been annotated for that phrase alone.
LEAST_PHRASES = 2
# A phrase whose vocabulary is not declared must recur on so many images to count as one of a vocabulary.
LEAST_IMAGES = 2


def words_of(text: str) -> tuple[str, ...]:
    """Give a phrase's words, normalised: lower case, without punctuation and articles.

    Example:
        >>> words_of("The Wine glass.")
        ('wine', 'glass')
    """
    return tuple(word for word in _WORD.findall(text.casefold()) if word not in _ARTICLES)


class Absences:
    """Knows of some captions of a collection that their subject is absent from other images of it.

    Where an image brings facts (`Photo.facts`, as generated scenes do), these decide. Elsewhere a phrase counts as
    absent from an image if all of this holds:

    - it is one of a vocabulary: its row declares one (`Caption.vocabulary`), or its normalised text recurs on two or
      more of the images;
    - the image has at least two different phrases, one of them of the same vocabulary: it was annotated with these
      words, not for one object alone;
    - no phrase of the image has a word in common with it: "table" is not known to be absent where "dining table" is.

    Assumed, and not checked: whoever annotated an image with a vocabulary marked all that it shows of it. Objects left
    out because they are small, and synonyms ("jeans" where the image has "pants"), are called absent. A free-form
    phrase rarely recurs and is then never called absent; one that does recur can be called absent wrongly, because
    another image may show its subject under other words.

    Arguments:
        collection: captions and images
        images:     those that are looked at, such as a split's; phrases recur among these alone. None = all
    """

    def __init__(self, collection: Collection, images: Iterable[int] | None = None) -> None:
        self.collection = collection
        self.images = frozenset(range(len(collection.photos)) if images is None else images)

    def lacks(self, image: int, row: int) -> bool:
        """Tell whether the subject of caption `row` is known to be absent from an image. False = present or unknown."""
        caption = self.collection.captions[row]
        facts = self.collection.photos[image].facts
        if facts is not None:
            return facts.lacks(caption.text)
        phrases = self._phrases.get(image, frozenset())
        if len(phrases) < LEAST_PHRASES or caption.vocabulary not in self._vocabularies[image]:
            return False
        words = self._words[row]
        known = bool(caption.vocabulary) or len(self._carriers[words]) >= LEAST_IMAGES
        return bool(words) and known and not any(set(words) & set(other) for other in phrases)

    def draw(self, rows: np.ndarray, random: np.random.Generator, *, count: int | None = None) -> np.ndarray:
        """Draw pairs of a phrase and another caption's image that lacks its subject.

        Phrases come in random order, each at most once, with an image drawn among those that lack it. Images are drawn
        through their captions, so that images with many phrases come as often as in pairs that belong together.

        Arguments:
            rows:   of captions, whose phrases and images are paired
            random: of the draw
            count:  how many pairs; None = one for every phrase that some image lacks
        Shapes: rows (B,) int64; returns (A, 2) int64, places in `rows` of the phrase and of the image's caption; fewer
        than `count` where fewer phrases are known to be absent from an image.
        """
        wanted = len(rows) if count is None else count
        images = [self.collection.captions[int(row)].image for row in rows]
        found: list[tuple[int, int]] = []
        for place in random.permutation(len(rows)):
            if len(found) >= wanted:
                break
            lender = next((n for n in random.permutation(len(rows)) if self.lacks(images[n], int(rows[place]))), None)
            if lender is not None:
                found.append((int(place), int(lender)))
        return np.array(found, dtype=np.int64).reshape(-1, 2)

    @cached_property
    def _words(self) -> list[tuple[str, ...]]:
        return [words_of(caption.text) for caption in self.collection.captions]

    @cached_property
    def _phrases(self) -> dict[int, frozenset[tuple[str, ...]]]:
        """Give image -> the phrases that it carries."""
        found: defaultdict[int, set[tuple[str, ...]]] = defaultdict(set)
        for caption, words in zip(self.collection.captions, self._words, strict=True):
            found[caption.image].add(words)
        return {image: frozenset(phrases) for image, phrases in found.items()}

    @cached_property
    def _vocabularies(self) -> dict[int, set[str]]:
        """Give image -> the vocabularies that its phrases are of."""
        found: defaultdict[int, set[str]] = defaultdict(set)
        for caption in self.collection.captions:
            found[caption.image].add(caption.vocabulary)
        return dict(found)

    @cached_property
    def _carriers(self) -> dict[tuple[str, ...], set[int]]:
        """Give phrase -> the images looked at that carry it."""
        found: defaultdict[tuple[str, ...], set[int]] = defaultdict(set)
        for caption, words in zip(self.collection.captions, self._words, strict=True):
            if caption.image in self.images:
                found[words].add(caption.image)
        return defaultdict(set, found)
