"""Count a model's masks against the true ones, caption by caption, also with a side removed or exchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from plait.audit.ablation import emptied
from plait.core.types import ImageSpec
from plait.data.geometry import Geometry, geometry_of
from plait.data.masks.load import frame_to_photo
from plait.metrics.mask import boundary_f
from plait.metrics.mask_counts import count
from plait.nn.precision import Precision, autocast_context
from plait.tasks.mask.learner import MaskLearner
from plait.tasks.mask.metrics import CONSTANT
from plait.tasks.mask.targets import true_mask

if TYPE_CHECKING:
    from plait.train.feed import Feed

__all__ = ["AS_TRAINED", "MaskCounts", "MaskReader", "count_constant", "count_masks", "partner_captions"]

# The model with both sides as they are; the other kinds are those of `plait.tasks.mask.metrics.ABLATED`.
AS_TRAINED = "as trained"
CAPTIONS_PER_CHUNK = 32
PARTNERS_TRIED = 64


@dataclass(frozen=True)
class MaskCounts:
    """Masks of C captions, counted.

    Fields:
        by_kind:  kind -> (C, 2, BINS) int64; see `plait.metrics.mask_counts.count`
        boundary: (C,) float in [0, 1], each mask's boundary F at the threshold; None without one
    """

    by_kind: dict[str, np.ndarray]
    boundary: np.ndarray | None


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

    def read(self, captions: np.ndarray, kinds: Sequence[str]) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
        """Give places (n,) in `captions`, image by image, and kind -> (n, h, w) probabilities over the input frame.

        Shapes: captions (C,) int64; every place from 0 to C - 1 comes once.
        """
        feed, learner = self.feed, self.learner
        partner = partner_captions(feed) if "text shuffled" in kinds else None
        order = np.argsort(feed.image_of[captions], kind="stable")
        for start in range(0, len(order), CAPTIONS_PER_CHUNK):
            places = order[start : start + CAPTIONS_PER_CHUNK]
            rows = captions[places]
            images, image_row = np.unique(feed.image_of[rows], return_inverse=True)
            row = torch.from_numpy(image_row).to(feed.device)
            found = {}
            with torch.no_grad(), autocast_context(self.precision, feed.device.type):
                text, image = feed.encode_texts(rows), feed.encode_images(images)
                for kind in kinds:
                    words, regions = text, image
                    if kind == "text shuffled" and partner is not None:
                        words = feed.encode_texts(partner[rows])
                    elif kind == "text removed":
                        words = emptied(text)
                    elif kind == "image removed":
                        regions = emptied(image)
                    found[kind] = learner.probabilities(words, regions, image_row=row)
            yield places, found


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
        kinds:     `AS_TRAINED`, and those of `plait.tasks.mask.metrics.ABLATED`
        threshold: with it, boundary F is measured too
        mean_mask: (h, w) float in [0, 1] over the input frame; with it, the constant masks are counted too
        progress:  called with captions done and captions in all
    Shapes: captions (C,) int64.
    """
    found: dict[str, np.ndarray] = {}
    boundary = None if threshold is None else np.zeros(len(captions))
    done = 0
    for places, probabilities in reader.read(captions, kinds):
        for number, place in enumerate(places):
            truth = true_mask(reader.feed.collection, int(captions[place]))
            geometry = reader.geometry(truth)
            maps = {kind: frame_to_photo(values[number], geometry) for kind, values in probabilities.items()}
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
    return MaskCounts(found, boundary)


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
