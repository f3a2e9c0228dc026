"""From index arrays to a `Batch`: cached tokens where an encoder is frozen, raw ids and pixels where it is trained."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from plait.core.errors import ConfigError, ShapeError
from plait.core.types import Batch, ImageSpec, Level, TextInput, Tokens
from plait.data.collection import Collection, Photo
from plait.data.images import read_pixels
from plait.data.tokens.store import TokenStore

__all__ = ["PixelSource", "RawTexts", "TokenViews", "collate", "join_tokens", "load_pixels", "make_batch"]


@dataclass(frozen=True, eq=False)
class RawTexts:
    """Texts and how an encoder trained from them reads them; row i is the i-th text."""

    texts: Sequence[str]
    input: TextInput


@dataclass(frozen=True, eq=False)
class PixelSource:
    """Photos and how an encoder trained from them sees them; row i is the i-th photo.

    Fields:
        photos:  from files or memory
        spec:    size, fit and normalisation
        views:   what a photo can be shown as; `view` of a batch counts in these
        seed:    of the crops
        threads: that decode side by side; 0 = one a core, at most 8
    """

    photos: Sequence[Photo]
    spec: ImageSpec
    views: tuple[str, ...] = ("full",)
    seed: int = 0
    threads: int = 0


@dataclass(frozen=True, eq=False)
class TokenViews:
    """Cached tokens of photos in several views, one store a view; `view` of a batch counts in these.

    Fields:
        stores: one a view, the first of all photos
        rows:   (photos,) int64, the row of each photo in the stores after the first, -1 where it has none (photos that
                are never trained on need no other view); None = every store holds every photo, in the same order
    Raises:
        ShapeError: there is no store, or they differ in width, pooled width, grid or levels.
    """

    stores: tuple[TokenStore, ...]
    rows: Tensor | None = None

    def __post_init__(self) -> None:
        kinds = {(store.width, store.pooled_width, store.grid, store.levels) for store in self.stores}
        if len(kinds) != 1:
            raise ShapeError(
                f"expected stores of one (width, pooled width, grid, levels), got {sorted(map(str, kinds))}"
            )

    def take(self, index: Tensor, view: Tensor | None = None) -> Tokens:
        """Give the tokens of these photos, (M,) int64, each in its view, (M,) int64; None = the first view."""
        if view is None or len(self.stores) == 1:
            return self.stores[0].take(index)
        parts = []
        places = []
        for number, store in enumerate(self.stores):
            mine = (view == number).nonzero().flatten()
            if len(mine):
                places.append(mine)
                here = index[mine] if number == 0 or self.rows is None else self.rows[index[mine]]
                parts.append(store.take(here))
        back = torch.argsort(torch.cat(places))
        return join_tokens(parts).take(back) if len(parts) > 1 else parts[0]


def make_batch(
    text: TokenStore | RawTexts,
    image: TokenStore | TokenViews | PixelSource,
    text_index: Tensor,
    image_index: Tensor,
    *,
    view: Tensor | None = None,
    photo_row: Tensor | None = None,
) -> Batch:
    """Put caption text_index[i] beside photo image_index[photo_row[i]], for every i.

    Shapes:
        text_index:  (B,) int64
        image_index: (U,) int64; what its rows become in `target` tells which captions are never negatives
        view:        (U,) int64, which of the image side's views each photo is seen in; None = the first
        photo_row:   (B,) int64 in [0, U); None = U is B, and rows belong one to one
    Raises:
        ShapeError: the indices differ in length or leave their range.
        ConfigError: a view is asked of a side that has one only.
        InputError: a photo cannot be decoded.
    """
    owner = image_index if photo_row is None else image_index[photo_row]
    if text_index.shape != owner.shape or text_index.ndim != 1:
        raise ShapeError(f"expected two (B,) indices, got {tuple(text_index.shape)} and {tuple(owner.shape)}")
    ids = valid = pixels = text_tokens = image_tokens = None
    if isinstance(text, RawTexts):
        _check_range(text_index, len(text.texts), "text")
        ids, valid = text.input([text.texts[i] for i in text_index.tolist()])
    else:
        text_tokens = text.take(text_index)
    if isinstance(image, PixelSource):
        pixels = load_pixels(image, image_index, view=view)
    elif isinstance(image, TokenViews):
        image_tokens = image.take(image_index, view)
    else:
        if view is not None and bool((view != 0).any()):
            raise ConfigError("a view beyond the first is asked of a store with one; give TokenViews of several stores")
        image_tokens = image.take(image_index)
    return Batch(ids, valid, pixels, owner, text=text_tokens, image=image_tokens, photo_row=photo_row)


def collate(
    collection: Collection,
    captions: Sequence[int],
    text: TokenStore | RawTexts,
    image: TokenStore | TokenViews | PixelSource,
    *,
    view: Tensor | None = None,
) -> Batch:
    """Give the batch of these captions, by their number in the collection, each with its photo. See `make_batch`.

    Shapes:
        captions: B numbers
        view:     (B,) int64, which of the image side's views each row sees; None = the first
    Raises as `make_batch`.
    """
    images = [collection.captions[number].image for number in captions]
    return make_batch(text, image, torch.tensor(list(captions)), torch.tensor(images), view=view)


def load_pixels(source: PixelSource, index: Tensor, *, view: Tensor | None = None) -> Tensor:
    """Decode photos side by side: (B,) int64 -> (B, 3, S, S) float32; a photo and view asked for twice is read once.

    Raises:
        ShapeError: the index leaves the photos, or `view` the views.
        InputError: a photo cannot be decoded.
    """
    _check_range(index, len(source.photos), "photo")
    views = torch.zeros_like(index) if view is None else view
    _check_range(views, len(source.views), "view")
    wanted = list(zip(index.tolist(), views.tolist(), strict=True))
    once = list(dict.fromkeys(wanted))

    def read(pair: tuple[int, int]) -> Tensor:
        photo, shown = source.photos[pair[0]], source.views[pair[1]]
        # By content, not by place in the sequence: a photo's crops are the same alone, in a chunk or in a collection.
        own = int(photo.digest[:8], 16) if shown.startswith("crop") else 0
        return read_pixels(photo.source, source.spec, view=shown, seed=source.seed + own)

    threads = min(source.threads or min(8, os.cpu_count() or 1), len(once))
    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            images = dict(zip(once, pool.map(read, once), strict=True))
    else:
        images = {pair: read(pair) for pair in once}
    return torch.stack([images[pair] for pair in wanted])


def join_tokens(parts: Sequence[Tokens]) -> Tokens:
    """Put batches of tokens (B, N, D) one under the other, padded to the longest N."""
    longest = max(part.values.shape[1] for part in parts)

    def padded(tensor: Tensor) -> Tensor:
        missing = longest - tensor.shape[1]
        if not missing:
            return tensor
        return torch.cat([tensor, tensor.new_zeros(tensor.shape[0], missing, *tensor.shape[2:])], dim=1)

    boxes = [part.boxes for part in parts if part.boxes is not None]
    pooled = [part.pooled for part in parts if part.pooled is not None]
    return Tokens(
        values=torch.cat([padded(part.values) for part in parts]),
        valid=torch.cat([padded(part.valid) for part in parts]),
        grid=parts[0].grid,
        boxes=torch.cat([padded(box) for box in boxes]) if boxes else None,
        pooled=torch.cat(pooled) if pooled else None,
        levels=tuple(
            Level(torch.cat([level.values for level in same]), same[0].grid)
            for same in zip(*(part.levels for part in parts), strict=True)
        ),
    )


def _check_range(index: Tensor, count: int, what: str) -> None:
    if index.ndim != 1 or not len(index):
        raise ShapeError(f"expected a (B,) {what} index, B > 0, got shape {tuple(index.shape)}")
    if int(index.min()) < 0 or int(index.max()) >= count:
        raise ShapeError(f"{what} index from {int(index.min())} to {int(index.max())}; there are {count}")
