"""Frozen encoders, computed once: a collection's tokens, in the on-disk cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from plait.core.types import ImageSpec, Tokens
from plait.data.batch import PixelSource, join_tokens, load_pixels
from plait.data.tokens.cache import TokenStore, build_store
from plait.data.collection import Collection, Photo, texts_fingerprint
from plait.model import FusionModel, Side
from plait.nn.precision import Precision, autocast_context
from plait.train.events import Event, Listener, silent

__all__ = ["Features", "all_texts", "prepare"]

# Sizes the frozen encoders run at: large enough for thick matrix products, small enough for bounded memory.
TEXTS_AT_ONCE = 64
PHOTOS_AT_ONCE = 16


@dataclass(frozen=True)
class Features:
    """Cached tokens of a collection.

    Fields:
        text:   one row a text of `all_texts`, or None where the text encoder is trained
        images: by view, one row a photo, or None where the image encoder is trained. Views other than "full" hold the
                training photos only, in the order of the split.
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
    """Encode what is frozen and not yet in the cache; open the rest.

    Killed and started again, it goes on with the shards that are missing.
    """
    text = _text_store(model.text, collection, precision, root, listener) if model.text.has_frozen else None
    if not model.image.has_frozen:
        return Features(text, None)
    images = {}
    for view in dict.fromkeys(("full", *views)):
        photos = collection.photos if view == "full" else [collection.photos[i] for i in collection.splits["train"]]
        images[view] = _image_store(
            model.image, collection, photos=photos, view=view, precision=precision, root=root, listener=listener
        )
    return Features(text, images)


def _text_store(side: Side, collection: Collection, precision: Precision, root: Path, listener: Listener) -> TokenStore:
    texts = all_texts(collection)

    def encode(chunk: Sequence[str]) -> Tokens:
        parts = [list(chunk[i : i + TEXTS_AT_ONCE]) for i in range(0, len(chunk), TEXTS_AT_ONCE)]
        with autocast_context(precision):
            return join_tokens([side.freeze(*side.input(part)) for part in parts])  # type: ignore[operator]

    key = {
        "what": "text",
        "data": texts_fingerprint(texts),
        "encoder": side.identity,
        "precision": precision,
    }
    return build_store(
        root,
        key,
        texts,
        encode,
        shard_items=4096,
        size_of=len,
        names=texts,
        progress=lambda done, total: listener(Event("encode", "captions", done, total)),
    )


def _image_store(
    side: Side,
    collection: Collection,
    *,
    photos: Sequence[Photo],
    view: str,
    precision: Precision,
    root: Path,
    listener: Listener,
) -> TokenStore:
    spec = side.input
    assert isinstance(spec, ImageSpec)

    def encode(chunk: Sequence[Photo]) -> Tokens:
        source = PixelSource(chunk, spec, (view,))
        parts = torch.arange(len(chunk)).split(PHOTOS_AT_ONCE)
        with autocast_context(precision):
            return join_tokens([side.freeze(load_pixels(source, part)) for part in parts])

    key = {
        "what": "image",
        "data": texts_fingerprint([photo.digest for photo in photos]),
        "encoder": side.identity,
        "input": repr(spec),
        "view": view,
        "precision": precision,
    }
    what = "photos" if view == "full" else f"photos ({view})"
    return build_store(
        root,
        key,
        photos,
        encode,
        names=[photo.digest for photo in photos],
        progress=lambda done, total: listener(Event("encode", what, done, total)),
    )
