"""Photos that two splits share: the same content, or nearly the same look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plait.data.collection import Collection
from plait.data.fingerprints import near_duplicates, perceptual_hash
from plait.data.images import load_rgb

__all__ = ["Overlap", "shared_photos"]


@dataclass(frozen=True)
class Overlap:
    """Photos in both splits.

    Fields:
        train, split: which two
        exact: (train photo id, other photo id) with the same content
        near:  likewise for those that only look alike, or None where looks were not compared
    """

    train: str
    split: str
    exact: tuple[tuple[str, str], ...]
    near: tuple[tuple[str, str], ...] | None


def shared_photos(collection: Collection, split: str, *, train: str = "train", looks: bool = False) -> Overlap:
    """Find photos of `split` that `train` holds too.

    Arguments:
        looks: also decode every photo and compare by a perceptual hash; else only content hashes, which are at hand
    Raises:
        InputError: no such split, or a photo cannot be read.
    """
    seen, asked = collection.photos_of(train), collection.photos_of(split)
    photos = collection.photos
    home: dict[str, int] = {photos[i].digest: i for i in seen}
    exact = [(home[photos[i].digest], i) for i in asked if photos[i].digest in home]
    near = None
    if looks:
        known = {i for _, i in exact}
        near = _named(collection, [pair for pair in _alike(collection, seen, asked) if pair[1] not in known])
    return Overlap(train, split, _named(collection, exact), near)


def _alike(collection: Collection, seen: Sequence[int], asked: Sequence[int]) -> list[tuple[int, int]]:
    order = [*seen, *asked]
    hashes = [perceptual_hash(load_rgb(collection.photos[i].source)) for i in order]
    return [(order[a], order[b]) for a, b in near_duplicates(hashes) if a < len(seen) <= b]


def _named(collection: Collection, pairs: Sequence[tuple[int, int]]) -> tuple[tuple[str, str], ...]:
    return tuple((collection.photos[a].id, collection.photos[b].id) for a, b in pairs)
