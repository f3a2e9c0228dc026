"""From index arrays to a `Batch`: cached tokens where an encoder is frozen, raw ids and pixels where it is trained."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from plait.core.errors import ConfigError, ShapeError
from plait.core.types import Batch, ImageSpec, Level, TextInput, Tokens
from plait.data.collection import Photo
from plait.data.images import read_pixels
from plait.data.tokens.store import TokenStore

__all__ = ["PixelSource", "RawTexts", "TokenViews", "join_tokens", "load_pixels", "make_batch"]


@dataclass(frozen=True, eq=False)
class RawTexts:
    """Texts, and the input of the text encoder that is trained on them; row i is the i-th text."""

    texts: Sequence[str]
    input: TextInput


@dataclass(frozen=True, eq=False)
class PixelSource:
    """Images, and the input of the image encoder that is trained on them; row i is the i-th image.

    Fields:
        photos:  from files or memory
        spec:    size, fit and normalisation
        views:   the views in which an image can be shown; the argument `view` of `make_batch` indexes these
        seed:    of the crops
        threads: that decode in parallel; 0 = one per core, at most 8
    """

    photos: Sequence[Photo]
    spec: ImageSpec
    views: tuple[str, ...] = ("full",)
    seed: int = 0
    threads: int = 0


@dataclass(frozen=True, eq=False)
class TokenViews:
    """Cached tokens of images in several views, one store per view; the argument `view` indexes these.

    Fields:
        stores: one per view; the first holds all images
        rows:   (images,) int64, the row of each image in the stores after the first, -1 where it has none (images that
                are never trained on need no other view); None = every store holds every image, in the same order
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
        """Give the tokens of these images, (M,) int64, each in its view, (M,) int64; None = the first view."""
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
    target: Any = None,
    view: Tensor | None = None,
    image_row: Tensor | None = None,
) -> Batch:
    """Put text text_index[i] beside image image_index[image_row[i]], for every i.

    Arguments:
        text, image:             where the two sides come from
        text_index, image_index: which rows of them
        target:                  what the task wants to know of the batch's texts; passed on as it is
        view:                    which of the image side's views each image is shown in; None = the first
        image_row:               which row of `image_index` belongs to each text; None = the same row
    Shapes:
        text_index:  (B,) int64
        image_index: (U,) int64
        view:        (U,) int64
        image_row:   (B,) int64 in [0, U); None where U = B
    Raises:
        ShapeError: the indices differ in length or leave their range.
        ConfigError: a view beyond the first is requested of a side that has only one.
        InputError: an image cannot be decoded.
    """
    rows = image_index if image_row is None else image_row
    if text_index.shape != rows.shape or text_index.ndim != 1:
        raise ShapeError(f"expected two (B,) indices, got {tuple(text_index.shape)} and {tuple(rows.shape)}")
    if image_row is not None:
        _check_range(image_row, len(image_index), "image row")
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
            raise ConfigError(
                "a view beyond the first is requested of a store with one; give TokenViews of several stores"
            )
        image_tokens = image.take(image_index)
    return Batch(ids, valid, pixels, target, text=text_tokens, image=image_tokens, image_row=image_row)


def load_pixels(source: PixelSource, index: Tensor, *, view: Tensor | None = None) -> Tensor:
    """Decode images in parallel; an image and view that are requested twice are read once.

    Shapes:
        index, view: (B,) int64; view None = the first
        returns:     (B, 3, S, S) float32
    Raises:
        ShapeError: the index leaves the images, or `view` the views.
        InputError: an image cannot be decoded.
    """
    _check_range(index, len(source.photos), "image")
    views = torch.zeros_like(index) if view is None else view
    _check_range(views, len(source.views), "view")
    wanted = list(zip(index.tolist(), views.tolist(), strict=True))
    once = list(dict.fromkeys(wanted))

    def read(pair: tuple[int, int]) -> Tensor:
        photo, shown = source.photos[pair[0]], source.views[pair[1]]
        # From the content, not the index: an image's crops are the same alone, in a chunk and in a collection.
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
    """Concatenate batches of tokens (B, N, D) along B, padded with 0 to the longest N."""
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
