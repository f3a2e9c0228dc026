"""Tokens of frozen encoders: computed once per collection and kept in the on-disk cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from plait.core.types import Tokens
from plait.data.batch import PixelSource, join_tokens, load_pixels
from plait.data.collection import Collection, Photo, texts_fingerprint
from plait.data.tokens.cache import TokenStore, build_store
from plait.model import FusionModel, Side
from plait.nn.devices import device_of
from plait.nn.precision import Precision, autocast_context
from plait.train.events import Event, Listener, silent

__all__ = ["Features", "all_texts", "prepare"]

# Sizes the frozen encoders run at: large enough for thick matrix products, small enough for bounded memory.
TEXTS_AT_ONCE = 64
IMAGES_AT_ONCE = 16


@dataclass(frozen=True)
class Features:
    """Cached tokens of a collection.

    Fields:
        text:   one row per text of `all_texts`, or None where the text encoder is trained
        images: by view, one row per image, or None where the image encoder is trained. Views other than "full" hold the
                training images only, in the order of the split.
    """

    text: TokenStore | None
    images: dict[str, TokenStore] | None


def all_texts(collection: Collection) -> list[str]:
    """Give every text that may be scored: the captions in order, then the counterfactuals of those that have one."""
    captions = [c.text for c in collection.captions]
    return captions + [c.counterfactual for c in collection.captions if c.counterfactual is not None]


def prepare(
    model: FusionModel,
    collection: Collection,
    *,
    views: Sequence[str],
    precision: Precision,
    root: Path,
    listener: Listener = silent,
) -> Features:
    """Encode on the model's device what is frozen and not yet in the cache, and open the stores.

    If it is stopped, the next call computes only the shards that are missing.
    """
    encoding = _Encoding(device_of(model), precision, root, listener)
    text = encoding.texts(model.text, all_texts(collection)) if model.text.has_frozen else None
    if not model.image.has_frozen:
        return Features(text, None)
    images = {}
    for view in dict.fromkeys(("full", *views)):
        photos = collection.photos if view == "full" else [collection.photos[i] for i in collection.splits["train"]]
        images[view] = encoding.images(model.image, photos, view)
    return Features(text, images)


@dataclass(frozen=True)
class _Encoding:
    """How frozen encoders run, and where their tokens are kept."""

    device: torch.device
    precision: Precision
    root: Path
    listener: Listener

    def texts(self, side: Side, texts: Sequence[str]) -> TokenStore:
        read = side.text_input

        def encode(chunk: Sequence[str]) -> Tokens:
            parts = [list(chunk[i : i + TEXTS_AT_ONCE]) for i in range(0, len(chunk), TEXTS_AT_ONCE)]
            with autocast_context(self.precision, self.device):
                return join_tokens([side.freeze(*(raw.to(self.device) for raw in read(part))) for part in parts])

        key = {
            "what": "text",
            "data": texts_fingerprint(texts),
            "encoder": side.cached_identity,
            "precision": self.precision,
        }
        return build_store(
            self.root,
            key,
            texts,
            encode,
            shard_items=4096,
            size_of=len,
            names=texts,
            progress=lambda done, total: self.listener(Event("encode", "captions", done, total)),
        )

    def images(self, side: Side, photos: Sequence[Photo], view: str) -> TokenStore:
        spec = side.image_spec

        def encode(chunk: Sequence[Photo]) -> Tokens:
            source = PixelSource(chunk, spec, (view,))
            parts = torch.arange(len(chunk)).split(IMAGES_AT_ONCE)
            with autocast_context(self.precision, self.device):
                return join_tokens([side.freeze(load_pixels(source, part).to(self.device)) for part in parts])

        key = {
            "what": "image",
            "data": texts_fingerprint([photo.digest for photo in photos]),
            "encoder": side.cached_identity,
            "input": repr(spec),
            "view": view,
            "precision": self.precision,
        }
        what = "photos" if view == "full" else f"photos ({view})"
        return build_store(
            self.root,
            key,
            photos,
            encode,
            names=[photo.digest for photo in photos],
            progress=lambda done, total: self.listener(Event("encode", what, done, total)),
        )
