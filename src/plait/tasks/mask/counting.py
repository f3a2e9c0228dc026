"""Count a model's masks against the true ones, caption by caption, also with a side removed or exchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from plait.audit.ablation import emptied
from plait.core.types import ImageSpec
from plait.data.geometry import Geometry, geometry_of
from plait.data.masks.load import frame_to_photo
from plait.metrics.mask import boundary_f
from plait.metrics.mask_counts import count
from plait.nn.precision import Precision, autocast_context
from plait.tasks.mask.learner import MaskAnswer, MaskLearner
from plait.tasks.mask.metrics import CONSTANT
from plait.tasks.mask.targets import true_mask

if TYPE_CHECKING:
    from plait.train.feed import Feed

__all__ = ["AS_TRAINED", "MaskCounts", "MaskReader", "count_constant", "count_masks", "partner_captions"]

# The model with both sides as they are; the other kinds are those of `plait.audit.ablation.ABLATIONS`.
AS_TRAINED = "as trained"
# Kinds that give an image another one's text, or a text another one's image.
SHUFFLED = frozenset(("text shuffled", "image shuffled"))
CAPTIONS_PER_CHUNK = 32
PARTNERS_TRIED = 64


@dataclass(frozen=True)
class MaskCounts:
    """Masks of C captions, counted.

    Fields:
        by_kind:  kind -> (C, 2, BINS) int64; see `plait.metrics.mask_counts.count`
        boundary: (C,) float in [0, 1], each mask's boundary F at the threshold; None without one
        highest:  (C,) float in [0, 1], the highest probability of each mask as trained; 0 where that is not counted
        presence: (C,) float in [0, 1], as trained; None without a presence head
    """

    by_kind: dict[str, np.ndarray]
    boundary: np.ndarray | None
    highest: np.ndarray
    presence: np.ndarray | None


@dataclass(frozen=True)
class MaskReader:
    """A model with the data that it reads, in chunks of captions.

    Fields:
        learner:   model and objective
        feed:      where tokens come from
        precision: of the model's products
    """

    learner: MaskLearner
    feed: Feed
    precision: Precision

    @property
    def spec(self) -> ImageSpec:
        """How the model's image side reads pixels."""
        return self.learner.model.image.image_spec

    def geometry(self, truth: np.ndarray) -> Geometry:
        """Tell where an image of a true mask's size, (H, W), lies in the encoder's input frame."""
        return geometry_of(truth.shape[0], truth.shape[1], self.spec)

    def read(self, captions: np.ndarray, kinds: Sequence[str]) -> Iterator[tuple[np.ndarray, dict[str, MaskAnswer]]]:
        """Give places (n,) in `captions`, image by image, and kind -> the answers of these n.

        Shapes: captions (C,) int64; every place from 0 to C - 1 comes once.
        """
        feed, learner = self.feed, self.learner
        partner = partner_captions(feed) if SHUFFLED & set(kinds) else None
        order = np.argsort(feed.image_of[captions], kind="stable")
        for start in range(0, len(order), CAPTIONS_PER_CHUNK):
            places = order[start : start + CAPTIONS_PER_CHUNK]
            rows = captions[places]
            images, row = self._image_rows(feed.image_of[rows])
            found = {}
            with torch.no_grad(), autocast_context(self.precision, feed.device.type):
                text, image = feed.encode_texts(rows), feed.encode_images(images)
                for kind in kinds:
                    words, regions, own = text, image, row
                    if kind == "text shuffled" and partner is not None:
                        words = feed.encode_texts(partner[rows])
                    elif kind == "image shuffled" and partner is not None:
                        others, own = self._image_rows(feed.image_of[partner[rows]])
                        regions = feed.encode_images(others)
                    elif kind == "text removed":
                        words = emptied(text)
                    elif kind == "image removed":
                        regions = emptied(image)
                    found[kind] = learner.answer(words, regions, image_row=own)
            yield places, found

    def read_pairs(self, rows: np.ndarray, images: np.ndarray) -> Iterator[tuple[np.ndarray, MaskAnswer]]:
        """Give places (n,), image by image, and the answers of these pairs of a caption's text and any image.

        Shapes: rows (A,) int64, captions; images (A,) int64; every place from 0 to A - 1 comes once.
        """
        order = np.argsort(images, kind="stable")
        for start in range(0, len(order), CAPTIONS_PER_CHUNK):
            places = order[start : start + CAPTIONS_PER_CHUNK]
            here, row = self._image_rows(images[places])
            with torch.no_grad(), autocast_context(self.precision, self.feed.device.type):
                text, image = self.feed.encode_texts(rows[places]), self.feed.encode_images(here)
                answer = self.learner.answer(text, image, image_row=row)
            yield places, answer

    def _image_rows(self, images: np.ndarray) -> tuple[np.ndarray, Tensor]:
        """Give the different images, (U,), and the row of each among them, (n,) int64 on the feed's device."""
        different, row = np.unique(images, return_inverse=True)
        return different, torch.from_numpy(row).to(self.feed.device)


def count_masks(
    reader: MaskReader,
    captions: np.ndarray,
    *,
    kinds: Sequence[str] = (AS_TRAINED,),
    threshold: float | None = None,
    mean_mask: np.ndarray | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> MaskCounts:
    """Count the masks of captions at their images' own sizes.

    Arguments:
        kinds:     `AS_TRAINED`, and those of `plait.audit.ablation.ABLATIONS`
        threshold: with it, boundary F is measured too
        mean_mask: (h, w) float in [0, 1] over the input frame; with it, the constant masks are counted too
        progress:  called with captions done and captions in all
    Shapes: captions (C,) int64.
    """
    found: dict[str, np.ndarray] = {}
    boundary = None if threshold is None else np.zeros(len(captions))
    highest, presence = np.zeros(len(captions)), np.zeros(len(captions))
    done = 0
    for places, answers in reader.read(captions, kinds):
        if (said := answers.get(AS_TRAINED)) is not None and said.presence is not None:
            presence[places] = said.presence
        for number, place in enumerate(places):
            truth = true_mask(reader.feed.collection, int(captions[place]))
            geometry = reader.geometry(truth)
            maps = {kind: frame_to_photo(answer.cells[number], geometry) for kind, answer in answers.items()}
            if AS_TRAINED in maps:
                highest[place] = maps[AS_TRAINED].max()
            if boundary is not None and threshold is not None:
                boundary[place] = boundary_f(maps[AS_TRAINED] >= threshold, truth)
            counted = {kind: count(values, truth) for kind, values in maps.items()}
            if mean_mask is not None:
                counted |= count_constant(mean_mask, truth, geometry)
            for kind, values in counted.items():
                found.setdefault(kind, np.zeros((len(captions), *values.shape), dtype=np.int64))[place] = values
        done += len(places)
        if progress is not None:
            progress(done, len(captions))
    return MaskCounts(found, boundary, highest, None if reader.learner.presence is None else presence)


def count_constant(mean_mask: np.ndarray, truth: np.ndarray, geometry: Geometry) -> dict[str, np.ndarray]:
    """Count the masks that read neither text nor image: kind of `CONSTANT` -> (2, BINS) int64.

    Shapes: mean_mask (h, w) float over the input frame; truth (H, W) bool.
    """
    maps = {
        "mean mask": frame_to_photo(mean_mask, geometry),
        "all foreground": np.ones(truth.shape, dtype=np.float32),
        "all background": np.zeros(truth.shape, dtype=np.float32),
    }
    return {kind: count(maps[kind], truth) for kind in CONSTANT}


def partner_captions(feed: Feed) -> np.ndarray:
    """Give each caption another caption of its split, with another image and other words: (all captions,) int64.

    A caption that has no such partner keeps its own text, as in a set whose captions all read alike.
    """
    partner = np.arange(len(feed.image_of))
    for images in feed.collection.splits.values():
        ring = np.random.default_rng(0).permutation(np.flatnonzero(np.isin(feed.image_of, images)))
        for place, row in enumerate(ring):
            for step in range(1, min(len(ring), PARTNERS_TRIED)):
                other = ring[(place + step) % len(ring)]
                if feed.image_of[other] != feed.image_of[row] and feed.texts[other] != feed.texts[row]:
                    partner[row] = other
                    break
    return partner
