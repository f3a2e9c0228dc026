"""Images that two splits share: the same content, or nearly the same appearance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plait.data.collection import Collection
from plait.data.fingerprints import near_duplicates, perceptual_hash
from plait.data.images import load_rgb

__all__ = ["Overlap", "shared_images"]


@dataclass(frozen=True)
class Overlap:
    """Images in both splits.

    Fields:
        train, split: which two
        exact: (train image id, other image id) with the same content
        near:  likewise for those that only look alike, or None where appearances were not compared
    """

    train: str
    split: str
    exact: tuple[tuple[str, str], ...]
    near: tuple[tuple[str, str], ...] | None


def shared_images(collection: Collection, split: str, *, train: str = "train", perceptual: bool = False) -> Overlap:
    """Find images of `split` that `train` holds too.

    Arguments:
        perceptual: also decode every image and compare by a perceptual hash; else only by the hashes of contents
    Raises:
        InputError: no such split, or an image cannot be read.
    """
    seen, held_out = collection.photos_of(train), collection.photos_of(split)
    photos = collection.photos
    home: dict[str, int] = {photos[i].digest: i for i in seen}
    exact = [(home[photos[i].digest], i) for i in held_out if photos[i].digest in home]
    near = None
    if perceptual:
        known = {i for _, i in exact}
        near = _named(collection, [pair for pair in _alike(collection, seen, held_out) if pair[1] not in known])
    return Overlap(train, split, _named(collection, exact), near)


def _alike(collection: Collection, seen: Sequence[int], held_out: Sequence[int]) -> list[tuple[int, int]]:
    order = [*seen, *held_out]
    hashes = [perceptual_hash(load_rgb(collection.photos[i].source)) for i in order]
    return [(order[a], order[b]) for a, b in near_duplicates(hashes) if a < len(seen) <= b]


def _named(collection: Collection, pairs: Sequence[tuple[int, int]]) -> tuple[tuple[str, str], ...]:
    return tuple((collection.photos[a].id, collection.photos[b].id) for a, b in pairs)
