"""Where batches come from: a collection, its cached tokens or raw inputs, in an order the seed alone decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from plait.core.errors import InputError
from plait.core.types import Batch, ImageSpec, Tokens
from plait.data.collection import Collection, Photo
from plait.data.images import load_rgb
from plait.model import FusionModel
from plait.train.features import Features, all_texts, load_pixels
from plait.train.score import join_tokens

__all__ = ["Feed"]

ENCODE_A_CHUNK = 256
# Decoded photos kept in memory for an image tower that reads pixels.
DECODED_BYTES = 1 << 30


class Feed:
    """Batches of one collection for one model.

    Args:
        collection: photos, captions, splits
        model:      tells which side needs raw input, and how to make it
        features:   the cached tokens of the frozen sides
        views:      what training photos are shown as, one drawn at each visit
    """

    def __init__(self, collection: Collection, model: FusionModel, features: Features, *, views: Sequence[str]) -> None:
        self.collection = collection
        self.model = model
        self.features = features
        self.views = tuple(views)
        self.texts = all_texts(collection)
        self.photo_of = np.array([caption.image for caption in collection.captions], dtype=np.int64)
        train = collection.splits.get("train", ())
        self._train_position = np.full(len(collection.photos), -1, dtype=np.int64)
        self._train_position[list(train)] = np.arange(len(train))
        self._decoded: dict[int, Photo] = {}
        self._decoded_bytes = 0
        with_counterfactual = [i for i, c in enumerate(collection.captions) if c.counterfactual is not None]
        self.counterfactual_row = {
            caption: len(collection.captions) + n for n, caption in enumerate(with_counterfactual)
        }

    def order(self, seed: int, epoch: int, batch_size: int) -> list[np.ndarray]:
        """Give the training captions' indices, batch by batch.

        Each photo's captions are dealt out over rounds, so that a batch seldom shows one photo twice: such pairs are no
        negatives of each other and would be wasted. The last, incomplete batch is dropped unless it is the only one.
        """
        captions = np.array(self.collection.captions_of("train"), dtype=np.int64)
        if len(captions) < 2:
            raise InputError(
                f"data {self.collection.name!r}: the train split holds {len(captions)} caption(s); training needs at "
                "least 2 photos with a caption each"
            )
        random = np.random.default_rng((seed, epoch, 1))
        shuffled = random.permutation(captions)
        photos = self.photo_of[shuffled]
        by_photo = np.argsort(photos, kind="stable")
        starts = np.r_[True, np.diff(photos[by_photo]) != 0]
        first = np.maximum.accumulate(np.where(starts, np.arange(len(captions)), 0))
        round_of = np.empty(len(captions), dtype=np.int64)
        round_of[by_photo] = np.arange(len(captions)) - first
        dealt = shuffled[np.lexsort((random.random(len(captions)), round_of))]
        batches = [dealt[i : i + batch_size] for i in range(0, len(dealt), batch_size)]
        return batches[:-1] if len(batches) > 1 and len(batches[-1]) < batch_size else batches

    def batch(self, rows: np.ndarray, *, seed: int, epoch: int) -> Batch:
        """Give one training batch: the captions `rows` (B,) with their photos, each in a view drawn for this visit."""
        photos = self.photo_of[rows]
        drawn = np.random.default_rng((seed, epoch, 2)).integers(len(self.views), size=len(self.photo_of))[rows]
        target = torch.from_numpy(photos)
        ids, valid, text = self._text(rows)
        if self.features.images is None:
            return Batch(ids, valid, self._pixels(photos, drawn), target, text=text)
        return Batch(ids, valid, None, target, text=text, image=self._image_tokens(photos, drawn))

    def encode_texts(self, rows: Sequence[int] | np.ndarray) -> Tokens:
        """Give common-width tokens of the texts `rows` (indices into `all_texts`), without gradients."""
        rows = np.asarray(rows, dtype=np.int64)
        parts = []
        with torch.no_grad():
            for start in range(0, len(rows), ENCODE_A_CHUNK):
                ids, valid, text = self._text(rows[start : start + ENCODE_A_CHUNK])
                parts.append(self.model.encode_text(text) if text is not None else self.model.encode_text(ids, valid))  # type: ignore[arg-type]
        return join_tokens(parts)

    def encode_photos(self, photos: Sequence[int] | np.ndarray) -> Tokens:
        """Give common-width tokens of photos, as they are ("full"), without gradients."""
        photos = np.asarray(photos, dtype=np.int64)
        parts = []
        with torch.no_grad():
            for start in range(0, len(photos), ENCODE_A_CHUNK):
                chunk = photos[start : start + ENCODE_A_CHUNK]
                raw: Tensor | Tokens
                if self.features.images is None:
                    raw = load_pixels([self.collection.photos[i] for i in chunk], self._spec())
                else:
                    raw = self.features.images["full"].take(torch.from_numpy(chunk))
                parts.append(self.model.encode_image(raw))
        return join_tokens(parts)

    def _text(self, rows: np.ndarray) -> tuple[Tensor | None, Tensor | None, Tokens | None]:
        if self.features.text is not None:
            return None, None, self.features.text.take(torch.from_numpy(rows))
        ids, valid = self.model.text.input([self.texts[i] for i in rows])  # type: ignore[operator]
        return ids, valid, None

    def _image_tokens(self, photos: np.ndarray, drawn: np.ndarray) -> Tokens:
        assert self.features.images is not None
        if self.views == ("full",):
            return self.features.images["full"].take(torch.from_numpy(photos))
        parts, places = [], []
        for number, view in enumerate(self.views):
            here = np.flatnonzero(drawn == number)
            if len(here):
                at = photos[here] if view == "full" else self._train_position[photos[here]]
                parts.append(self.features.images[view].take(torch.from_numpy(at)))
                places.append(here)
        back = torch.from_numpy(np.argsort(np.concatenate(places)))
        return join_tokens(parts).take(back)

    def _pixels(self, photos: np.ndarray, drawn: np.ndarray) -> Tensor:
        out: list[Tensor] = [torch.empty(0)] * len(photos)
        for number, view in enumerate(self.views):
            here = np.flatnonzero(drawn == number)
            if len(here):
                chunk = [self._in_memory(int(i)) for i in photos[here]]
                for place, pixels in zip(here, load_pixels(chunk, self._spec(), view), strict=True):
                    out[place] = pixels
        return torch.stack(out)

    def _in_memory(self, index: int) -> Photo:
        """Give the photo decoded, and keep it so while the budget lasts: decoding again every epoch is half the time."""
        photo = self.collection.photos[index]
        if isinstance(photo.source, np.ndarray):
            return photo
        if index not in self._decoded:
            decoded = replace(photo, source=load_rgb(photo.source))
            assert isinstance(decoded.source, np.ndarray)
            if self._decoded_bytes + decoded.source.nbytes > DECODED_BYTES:
                return decoded
            self._decoded_bytes += decoded.source.nbytes
            self._decoded[index] = decoded
        return self._decoded[index]

    def _spec(self) -> ImageSpec:
        spec = self.model.image.input
        assert isinstance(spec, ImageSpec)
        return spec
