"""Pairs of a phrase and an image that lacks its subject: drawn from a split, and counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from plait.data.geometry import geometry_of
from plait.data.image_files import photo_size
from plait.data.masks.absent import Absences
from plait.data.masks.load import frame_to_photo
from plait.metrics.mask_counts import BINS, count
from plait.tasks.mask.counting import MaskReader

if TYPE_CHECKING:
    from plait.train.feed import Feed

__all__ = ["AbsentCounts", "count_absent", "draw_absent"]

# Every evaluation of a split draws the same pairs.
SEED = 0


@dataclass(frozen=True)
class AbsentCounts:
    """What a model marks of A phrases in images that lack their subjects.

    Fields:
        phrase:   (A,) int64, places of the phrases among the captions that were given
        image:    (A,) int64, indices of the images
        counts:   (A, 2, BINS) int64; see `plait.metrics.mask_counts.count`
        highest:  (A,) float in [0, 1], the mask's highest probability
        presence: (A,) float in [0, 1], or None: the model has no presence head
        mean_mask: (A, 2, BINS) int64, the same of the mean mask, or None where none was given
    """

    phrase: np.ndarray
    image: np.ndarray
    counts: np.ndarray
    highest: np.ndarray
    presence: np.ndarray | None
    mean_mask: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.phrase)


def draw_absent(feed: Feed, captions: np.ndarray) -> np.ndarray:
    """Pair every caption's phrase with another of these captions' images, one that is known to lack its subject.

    See `plait.data.masks.absent` for what is known. The seed is fixed, and nothing outside these captions is looked at,
    so that a split gives the same pairs alone and within its collection.

    Shapes: captions (C,) int64; returns (A, 2) int64, places in `captions` of the phrase and of the image's caption,
    sorted by phrase; A of at most C: phrases that no image is known to lack are left out.
    """
    images = set(feed.image_of[captions].tolist())
    drawn = Absences(feed.collection, images).draw(captions, np.random.default_rng(SEED))
    return drawn[np.argsort(drawn[:, 0])]


def count_absent(
    reader: MaskReader, captions: np.ndarray, pairs: np.ndarray, *, mean_mask: np.ndarray | None = None
) -> AbsentCounts:
    """Count what is marked in pairs that `draw_absent` gave, at the images' own sizes.

    Arguments:
        mean_mask: (h, w) float in [0, 1] over the input frame; with it, the mean mask is counted too
    Shapes: captions (C,) int64; pairs (A, 2) int64, places in `captions`.
    """
    rows, images = captions[pairs[:, 0]], reader.feed.image_of[captions[pairs[:, 1]]]
    counts = np.zeros((len(rows), 2, BINS), dtype=np.int64)
    constant = None if mean_mask is None else np.zeros_like(counts)
    highest, presence = np.zeros(len(rows)), np.zeros(len(rows))
    has_presence = reader.learner.presence is not None
    for places, answer in reader.read_pairs(rows, images):
        for number, place in enumerate(places):
            height, width = photo_size(reader.feed.collection.photos[int(images[place])].source)
            geometry, nothing = geometry_of(height, width, reader.spec), np.zeros((height, width), dtype=bool)
            shown = frame_to_photo(answer.cells[number], geometry)
            counts[place], highest[place] = count(shown, nothing), shown.max()
            if constant is not None and mean_mask is not None:
                constant[place] = count(frame_to_photo(mean_mask, geometry), nothing)
        if answer.presence is not None:
            presence[places] = answer.presence
    return AbsentCounts(pairs[:, 0], images, counts, highest, presence if has_presence else None, constant)
