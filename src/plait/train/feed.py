"""Where batches come from: a collection, its cached tokens or raw inputs, in an order the seed alone decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from plait.core.errors import InputError
from plait.core.types import Batch, ImageSpec, Tokens
from plait.data.batch import PixelSource, RawTexts, TokenViews, join_tokens, load_pixels, make_batch
from plait.data.tokens.cache import TokenStore
from plait.data.collection import Collection
from plait.model import FusionModel
from plait.train.features import Features, all_texts
from plait.tasks.mask.targets import MaskTargets

__all__ = ["Feed"]

ENCODE_A_CHUNK = 256


class Feed:
    """Batches of one collection for one model.

    Args:
        collection: photos, captions, splits
        model:      tells which side needs raw input, and how to make it
        features:   the cached tokens of the frozen sides
        views:      what training photos are shown as, one drawn at each visit; "full" is always among them
    """

    def __init__(self, collection: Collection, model: FusionModel, features: Features, *, views: Sequence[str]) -> None:
        self.collection = collection
        self.model = model
        self.views = ("full", *(view for view in dict.fromkeys(views) if view != "full"))
        self.texts = all_texts(collection)
        # A photo without a family is one of its own.
        families = [
            i if photo.family is None else f"family {photo.family}" for i, photo in enumerate(collection.photos)
        ]
        self.family_of = np.unique(np.array(families, dtype=str), return_inverse=True)[1]
        self.photo_of = np.array([caption.image for caption in collection.captions], dtype=np.int64)
        with_counterfactual = [i for i, c in enumerate(collection.captions) if c.counterfactual is not None]
        self.counterfactual_row = {
            caption: len(collection.captions) + n for n, caption in enumerate(with_counterfactual)
        }
        self._text = self._text_source(features)
        self._image = self._image_source(features)

    def order(self, seed: int, epoch: int, batch_size: int, *, captions_a_photo: int = 1) -> list[np.ndarray]:
        """Give the training captions' indices, batch by batch: `batch_size` photos with `captions_a_photo` each.

        Every photo's captions are shuffled and dealt out over rounds; in each round the photos come in a new order. So
        every caption is visited once an epoch, and a batch seldom meets one photo twice by chance: such pairs are no
        negatives of each other and would be wasted. Photos of one family follow one another, so that each meets those
        it is hardest to tell from. A last batch of fewer than half the photos is dropped, unless it is the only one.
        """
        captions = np.array(self.collection.captions_of("train"), dtype=np.int64)
        if len(captions) < 2:
            raise InputError(
                f"data {self.collection.name!r}: the train split holds {len(captions)} caption(s); training needs at "
                "least 2 photos with a caption each"
            )
        random = np.random.default_rng((seed, epoch, 1))
        shuffled = random.permutation(captions)
        owner = self.photo_of[shuffled]
        by_photo = np.argsort(owner, kind="stable")
        starts = np.r_[True, np.diff(owner[by_photo]) != 0]
        first = np.maximum.accumulate(np.where(starts, np.arange(len(captions)), 0))
        turn = np.empty(len(captions), dtype=np.int64)
        turn[by_photo] = np.arange(len(captions)) - first
        rounds = turn // captions_a_photo
        # One random place a photo and round; its captions of that round share it, and so stay together.
        place = random.random((rounds.max() + 1, len(self.collection.photos)))[rounds, owner]
        family = random.random((rounds.max() + 1, self.family_of.max() + 1))[rounds, self.family_of[owner]]
        dealt = np.lexsort((place, family, rounds))
        visit = np.cumsum(np.r_[True, np.diff(place[dealt]) != 0]) - 1
        batches = np.split(shuffled[dealt], np.flatnonzero(np.diff(visit // batch_size)) + 1)
        too_small = (visit[-1] + 1) % batch_size and (visit[-1] + 1) % batch_size < batch_size / 2
        return batches[:-1] if too_small and len(batches) > 1 else batches

    def batch(self, rows: np.ndarray, *, seed: int, epoch: int) -> Batch:
        """Give one training batch: the captions `rows` (B,) and their U photos, each in a view drawn for this visit."""
        photos, photo_row = np.unique(self.photo_of[rows], return_inverse=True)
        # Drawn by the visit's first caption, so that a photo is seen in another view when it comes again.
        drawn = np.random.default_rng((seed, epoch, int(rows[0]))).integers(len(self.views), size=len(photos))
        batch = make_batch(
            self._text,
            self._image,
            torch.from_numpy(rows),
            torch.from_numpy(photos),
            view=torch.from_numpy(drawn) if len(self.views) > 1 else None,
            photo_row=torch.from_numpy(photo_row),
        )
        if not self.model.gives_masks:
            return batch
        return replace(batch, mask=self.masks.take(rows, drawn[photo_row]))

    @cached_property
    def masks(self) -> MaskTargets:
        """The captions' masks at the resolution of the model's head, which is found by asking it once."""
        spec = self.model.image.input
        assert isinstance(spec, ImageSpec)
        was_training = self.model.training
        self.model.eval()
        with torch.no_grad():
            logits, _ = self.model.masks(self.encode_texts([0]), self.encode_photos([int(self.photo_of[0])]))
        self.model.train(was_training)
        height, width = logits.values.shape[1:]
        return MaskTargets(self.collection, spec, cells=(height, width), views=self.views)

    def encode_texts(self, rows: Sequence[int] | np.ndarray) -> Tokens:
        """Give common-width tokens of the texts `rows` (indices into `all_texts`), without gradients: (M, T, D)."""
        with torch.no_grad():
            return join_tokens([self._encode_texts(chunk) for chunk in _chunks(rows)])

    def encode_photos(self, photos: Sequence[int] | np.ndarray) -> Tokens:
        """Give common-width tokens of photos, as they are ("full"), without gradients: (M, P, D)."""
        with torch.no_grad():
            return join_tokens([self._encode_photos(chunk) for chunk in _chunks(photos)])

    def _encode_texts(self, rows: Tensor) -> Tokens:
        if isinstance(self._text, RawTexts):
            return self.model.encode_text(*self._text.input([self.texts[i] for i in rows.tolist()]))
        return self.model.encode_text(self._text.take(rows))

    def _encode_photos(self, photos: Tensor) -> Tokens:
        if isinstance(self._image, PixelSource):
            full = replace(self._image, views=("full",))
            return self.model.encode_image(load_pixels(full, photos))
        return self.model.encode_image(self._image.take(photos))

    def _text_source(self, features: Features) -> TokenStore | RawTexts:
        return features.text or RawTexts(self.texts, self.model.text.input)  # type: ignore[arg-type]

    def _image_source(self, features: Features) -> TokenViews | PixelSource:
        spec = self.model.image.input
        if features.images is None:
            assert isinstance(spec, ImageSpec)
            return PixelSource(self.collection.photos, spec, self.views)
        stores = tuple(features.images[view] for view in self.views)
        train = self.collection.splits.get("train", ())
        rows = torch.full((len(self.collection.photos),), -1, dtype=torch.int64)
        rows[list(train)] = torch.arange(len(train))
        return TokenViews(stores, rows)


def _chunks(rows: Sequence[int] | np.ndarray) -> Sequence[Tensor]:
    return torch.from_numpy(np.asarray(rows, dtype=np.int64)).split(ENCODE_A_CHUNK)
