"""Where batches come from: a collection, its cached tokens or raw inputs, in an order that the seed alone decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from plait.core.errors import InputError
from plait.core.types import Batch, Targets, Tokens
from plait.data.batch import PixelSource, RawTexts, TokenViews, join_tokens, load_pixels, make_batch
from plait.data.collection import Collection
from plait.data.tokens.store import TokenStore
from plait.model import Learner
from plait.nn.devices import device_of
from plait.nn.pooling import masked_mean
from plait.train.features import Features, all_texts

__all__ = ["Feed"]

ENCODED_AT_ONCE = 256


class Feed:
    """Batches of one collection for one learner, on the learner's device.

    Args:
        collection:   images, captions, splits
        learner:      its model says which side needs raw input, and how to make it
        features:     the cached tokens of the frozen sides
        views:        what training images are shown as, one drawn at each visit; "full" is always among them
        make_targets: gives the task's targets for this feed; called once, when the first batch is made
    """

    def __init__(
        self,
        collection: Collection,
        learner: Learner,
        features: Features,
        *,
        views: Sequence[str],
        make_targets: Callable[[Feed], Targets],
    ) -> None:
        self.collection = collection
        self.learner = learner
        self.model = learner.model
        self.views = ("full", *(view for view in dict.fromkeys(views) if view != "full"))
        self.texts = all_texts(collection)
        self._make_targets = make_targets
        # An image without a family is one of its own.
        families = [
            i if photo.family is None else f"family {photo.family}" for i, photo in enumerate(collection.photos)
        ]
        self.family_of = np.unique(np.array(families, dtype=str), return_inverse=True)[1]
        self.image_of = np.array([caption.image for caption in collection.captions], dtype=np.int64)
        with_counterfactual = [i for i, c in enumerate(collection.captions) if c.counterfactual is not None]
        self.counterfactual_row = {
            caption: len(collection.captions) + n for n, caption in enumerate(with_counterfactual)
        }
        self._text = self._text_source(features)
        self._image = self._image_source(features)

    @property
    def device(self) -> torch.device:
        """Where the learner is, and so where batches and tokens are put."""
        return device_of(self.learner)

    @cached_property
    def targets(self) -> Targets:
        """What the task asks of the captions of this collection."""
        return self._make_targets(self)

    def order(self, seed: int, epoch: int, batch_size: int, *, captions_per_image: int = 1) -> list[np.ndarray]:
        """Give the training captions' indices, batch by batch: `batch_size` images with `captions_per_image` each.

        Every image's captions are shuffled and spread over rounds; in each round the images come in a new order. So
        every caption is visited once per epoch, and a batch rarely holds one image twice by chance: such pairs are not
        negatives of each other and would be wasted. Images of one family follow one another, so that each is compared
        with those that are hardest to tell from it. A last batch of fewer than half of `batch_size` images is dropped,
        unless it is the only one.

        Raises:
            InputError: the train split holds fewer than two captions.
        """
        captions = np.array(self.collection.captions_of("train"), dtype=np.int64)
        if len(captions) < 2:
            raise InputError(
                f"data {self.collection.name!r}: the train split holds {len(captions)} caption(s); training needs at "
                "least 2 images with a caption each"
            )
        random = np.random.default_rng((seed, epoch, 1))
        shuffled = random.permutation(captions)
        owner = self.image_of[shuffled]
        by_image = np.argsort(owner, kind="stable")
        starts = np.r_[True, np.diff(owner[by_image]) != 0]
        first = np.maximum.accumulate(np.where(starts, np.arange(len(captions)), 0))
        turn = np.empty(len(captions), dtype=np.int64)
        turn[by_image] = np.arange(len(captions)) - first
        rounds = turn // captions_per_image
        # One random place per image and round; the image's captions of that round share it, and so stay together.
        place = random.random((rounds.max() + 1, len(self.collection.photos)))[rounds, owner]
        family = random.random((rounds.max() + 1, self.family_of.max() + 1))[rounds, self.family_of[owner]]
        order = np.lexsort((place, family, rounds))
        visit = np.cumsum(np.r_[True, np.diff(place[order]) != 0]) - 1
        batches = np.split(shuffled[order], np.flatnonzero(np.diff(visit // batch_size)) + 1)
        too_small = (visit[-1] + 1) % batch_size and (visit[-1] + 1) % batch_size < batch_size / 2
        return batches[:-1] if too_small and len(batches) > 1 else batches

    def batch(self, rows: np.ndarray, *, seed: int, epoch: int) -> Batch:
        """Give one training batch: the captions `rows` (B,) and their U images, each in a view drawn for this visit."""
        images, image_row = np.unique(self.image_of[rows], return_inverse=True)
        # Drawn by the visit's first caption, so that an image is seen in another view when it comes again.
        drawn = np.random.default_rng((seed, epoch, int(rows[0]))).integers(len(self.views), size=len(images))
        batch = make_batch(
            self._text,
            self._image,
            torch.from_numpy(rows),
            torch.from_numpy(images),
            view=torch.from_numpy(drawn) if len(self.views) > 1 else None,
            image_row=torch.from_numpy(image_row),
            target=self.targets.take(rows, drawn[image_row]),
        )
        return batch.to(self.device)

    def encode_texts(self, rows: Sequence[int] | np.ndarray) -> Tokens:
        """Give common-width tokens of the texts `rows` (indices into `all_texts`), without gradients: (M, T, D)."""
        with torch.no_grad():
            return join_tokens([self._encode_texts(chunk) for chunk in _chunks(rows)])

    def encode_images(self, images: Sequence[int] | np.ndarray) -> Tokens:
        """Give common-width tokens of images, in the view "full", without gradients: (M, P, D)."""
        with torch.no_grad():
            return join_tokens([self._encode_images(chunk) for chunk in _chunks(images)])

    def image_summaries(self, images: Sequence[int] | np.ndarray) -> Tensor:
        """Give one vector per image by the image encoder alone, in the view "full", without gradients.

        Its own summary where it has one, else the mean of its tokens; nothing that follows the encoder is used.

        Shapes: returns (M, D') float32.
        """
        found = []
        with torch.no_grad():
            for chunk in _chunks(images):
                tokens = self.model.image.encode(self._raw_images(chunk))
                summary = tokens.pooled
                if summary is None:
                    summary = masked_mean(tokens.values, tokens.valid)
                found.append(summary.float())
        return torch.cat(found)

    def _encode_texts(self, rows: Tensor) -> Tokens:
        if isinstance(self._text, RawTexts):
            ids, valid = self._text.input([self.texts[i] for i in rows.tolist()])
            return self.model.encode_text(ids.to(self.device), valid.to(self.device))
        return self.model.encode_text(self._text.take(rows).to(self.device))

    def _encode_images(self, images: Tensor) -> Tokens:
        return self.model.encode_image(self._raw_images(images))

    def _raw_images(self, images: Tensor) -> Tensor | Tokens:
        if isinstance(self._image, PixelSource):
            return load_pixels(replace(self._image, views=("full",)), images).to(self.device)
        return self._image.take(images).to(self.device)

    def _text_source(self, features: Features) -> TokenStore | RawTexts:
        return RawTexts(self.texts, self.model.text.text_input) if features.text is None else features.text

    def _image_source(self, features: Features) -> TokenViews | PixelSource:
        if features.images is None:
            return PixelSource(self.collection.photos, self.model.image.image_spec, self.views)
        stores = tuple(features.images[view] for view in self.views)
        train = self.collection.splits.get("train", ())
        rows = torch.full((len(self.collection.photos),), -1, dtype=torch.int64)
        rows[list(train)] = torch.arange(len(train))
        return TokenViews(stores, rows)


def _chunks(rows: Sequence[int] | np.ndarray) -> Sequence[Tensor]:
    return torch.from_numpy(np.asarray(rows, dtype=np.int64)).split(ENCODED_AT_ONCE)
