"""A data set: images, captions, and splits by image. Pixels are read only when they are needed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from plait.core.errors import InputError, nearest
from plait.core.os_errors import os_sentence
from plait.core.show import data_frame, html_table, shortened
from plait.data.masks.source import MaskReading, MaskSource

__all__ = ["Caption", "Collection", "Facts", "Photo", "Skip", "keep_captions", "keep_photos", "texts_fingerprint"]


class Facts(Protocol):
    """What is known of an image beside its captions."""

    def lacks(self, text: str) -> bool:
        """Tell whether the subject of a phrase is known to be absent from the image. False = present or unknown."""
        ...


@dataclass(frozen=True, eq=False)
class Photo:
    """One image.

    Fields:
        id:     unique in its collection; the file's name where there is one
        source: path of an image file, or (H, W, 3) uint8 array
        family: images with the same number are alike on purpose; training puts them in one batch, as each other's
                negatives
        facts:  what is known of its content, where the data knows more than its captions say
    """

    id: str
    source: Path | np.ndarray
    family: int | None = None
    facts: Facts | None = None

    @cached_property
    def digest(self) -> str:
        """Give the SHA-256 of the image's content: the file's bytes, or the array's shape and bytes.

        Raises:
            InputError: the file cannot be read.
        """
        if isinstance(self.source, np.ndarray):
            header = f"array {self.source.dtype} {self.source.shape}\n".encode()
            return hashlib.sha256(header + np.ascontiguousarray(self.source).tobytes()).hexdigest()
        try:
            with self.source.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise InputError(f"image {self.source}: cannot be read: {os_sentence(error)}") from error


@dataclass(frozen=True)
class Caption:
    """One sentence about one image.

    Fields:
        id:             unique in its collection
        text:           never empty
        image:          the image's index in `Collection.photos`
        counterfactual: a sentence of the same words that is wrong for this image, where the data has one
        mask:           the region of the image that it refers to, where the data has one
        vocabulary:     name of the list of words that it is one of, where the data declares one: an image annotated
                        with a list is taken to carry all of its words that it shows; "" = not declared
        answers:        what is right to answer, where the text is a question: one per person asked, so that an answer
                        given twice counts twice; for images with a class, its name. Empty where the data has none
    """

    id: str
    text: str
    image: int
    counterfactual: str | None = None
    mask: MaskSource | None = None
    vocabulary: str = ""
    answers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Skip:
    """Something left out, and why: listed in every result, so that nothing is lost without notice.

    Fields:
        where:    file, row or key
        reason:   what was wrong with it
        expected: it was left out as requested or as is usual for this kind of data, so it is not a fault of the data
    """

    where: str
    reason: str
    expected: bool = False


@dataclass(frozen=True, eq=False, repr=False)
class Collection:
    """Images, captions, and splits that share no image.

    Fields:
        name:     short, for tables
        origin:   where it was read from
        photos:   all images, in a stable order
        captions: all captions; several may belong to one image
        splits:   name -> indices into `photos`
        skipped:  what was left out, and why
        reading:  how its masks were declared, None where nothing was
        splits_from: where the splits come from, such as "splits.json" or "made by plait (seed 0, ...)"; "" = not known

    Raises:
        InputError: an index is out of range, an id comes twice, or an image is in two splits.
    """

    name: str
    origin: str
    photos: tuple[Photo, ...]
    captions: tuple[Caption, ...]
    splits: Mapping[str, tuple[int, ...]]
    skipped: tuple[Skip, ...] = field(default=())
    reading: MaskReading | None = None
    splits_from: str = ""

    def __repr__(self) -> str:
        """Say in one line what it holds; `facts` and `to_frame` give more."""
        splits = ", ".join(f"{name} {len(members):,}" for name, members in self.splits.items()) or "no splits"
        skipped = f"; {len(self.skipped):,} skipped" if self.skipped else ""
        return (
            f"Collection({shortened(self.name)!r}: {len(self.photos):,} images, {len(self.captions):,} captions; "
            f"{splits}{skipped})"
        )

    def _repr_html_(self) -> str:
        rows = [[name, len(members), len(self.captions_of(name))] for name, members in self.splits.items()]
        notes = [f"splits: {self.splits_from}"] if self.splits_from else []
        notes += [f"skipped: {len(self.skipped):,}"] if self.skipped else []
        title = f"{self.name} ({self.origin}): {len(self.photos):,} images, {len(self.captions):,} captions"
        return html_table(title, rows, header=["split", "images", "captions"], note="; ".join(notes))

    def to_frame(self) -> Any:
        """Give a pandas DataFrame with one row per caption: split ("" = none), image, caption and has_mask.

        Raises:
            MissingPackageError: pandas is not installed.
        """
        home = {index: name for name, members in self.splits.items() for index in members}
        return data_frame(
            {
                "split": [home.get(caption.image, "") for caption in self.captions],
                "image": [self.photos[caption.image].id for caption in self.captions],
                "caption": [caption.text for caption in self.captions],
                "has_mask": [caption.mask is not None for caption in self.captions],
            }
        )

    def __post_init__(self) -> None:
        _refuse_twice((photo.id for photo in self.photos), f"{self.origin}: image")
        _refuse_twice((caption.id for caption in self.captions), f"{self.origin}: caption")
        for caption in self.captions:
            if not 0 <= caption.image < len(self.photos):
                raise InputError(
                    f"{self.origin}: caption {caption.id!r} belongs to image number {caption.image}, "
                    f"but there are {len(self.photos)} images"
                )
        home: dict[int, str] = {}
        for name, members in self.splits.items():
            for index in members:
                if not 0 <= index < len(self.photos):
                    raise InputError(
                        f"{self.origin}: split {name!r} holds image number {index}, "
                        f"but there are {len(self.photos)} images"
                    )
                if index in home:
                    both = f"in split {home[index]!r} and in {name!r}" if home[index] != name else f"twice in {name!r}"
                    raise InputError(
                        f"{self.origin}: image {self.photos[index].id!r} is {both}; "
                        "an image belongs to one split, once: take it out of the other"
                    )
                home[index] = name

    @cached_property
    def photos_fingerprint(self) -> str:
        """Give the SHA-256 over the images' content in their order. It does not depend on names, captions or splits."""
        return _digest(photo.digest for photo in self.photos)

    @cached_property
    def captions_fingerprint(self) -> str:
        """Give the SHA-256 over the captions' texts in their order. It does not depend on images or splits."""
        return texts_fingerprint([caption.text for caption in self.captions])

    @property
    def has_answers(self) -> bool:
        """Tell whether every caption has an answer: then this is a set of questions, or of images with a class."""
        return bool(self.captions) and all(caption.answers for caption in self.captions)

    @property
    def has_classes(self) -> bool:
        """Tell whether every caption is the name of its image's class: then this is a set of images with a class."""
        return bool(self.captions) and all(caption.answers == (caption.text,) for caption in self.captions)

    @property
    def has_masks(self) -> bool:
        """Tell whether every caption has a mask: then this is a set to learn masks from."""
        return bool(self.captions) and all(caption.mask is not None for caption in self.captions)

    @cached_property
    def masks_fingerprint(self) -> str:
        """Give the SHA-256 over the masks' content and polarity in the captions' order; "" where there is none."""
        if all(caption.mask is None for caption in self.captions):
            return ""
        return _digest("" if caption.mask is None else caption.mask.digest for caption in self.captions)

    @cached_property
    def fingerprint(self) -> str:
        """Give the SHA-256 over everything: content and ids of images, captions with image and mask, and splits."""
        rest = json.dumps(
            [
                [photo.id if photo.family is None else [photo.id, photo.family] for photo in self.photos],
                [[caption.id, caption.image, caption.counterfactual] for caption in self.captions],
                [[name, list(members)] for name, members in sorted(self.splits.items())],
            ],
            ensure_ascii=False,
        )
        # Without masks nothing is added: fingerprints of data sets without masks are older than masks.
        masks = [self.masks_fingerprint] if self.masks_fingerprint else []
        asked = any(caption.answers for caption in self.captions)
        answers = ["\n".join(caption.answers) for caption in self.captions] if asked else []
        return _digest([self.photos_fingerprint, self.captions_fingerprint, rest, *masks, *answers])

    def photos_of(self, split: str) -> tuple[int, ...]:
        """Give the indices of a split's images.

        Raises:
            InputError: there is no such split; the message names the nearest one.
        """
        if split not in self.splits:
            known = ", ".join(self.splits) or "none"
            raise InputError(f"{self.origin}: no split {split!r}{nearest(split, self.splits)}; it has: {known}")
        return self.splits[split]

    def captions_of(self, split: str) -> tuple[int, ...]:
        """Give the indices of the captions whose image is in a split, in the captions' order. Raises as `photos_of`."""
        members = set(self.photos_of(split))
        return tuple(index for index, caption in enumerate(self.captions) if caption.image in members)

    def facts(self) -> dict[str, Any]:
        """Give what results record of a data set, as plain data: name, origin, fingerprint, counts, splits, skips."""
        return {
            "name": self.name,
            "origin": self.origin,
            "fingerprint": self.fingerprint,
            "photos": len(self.photos),
            "captions": len(self.captions),
            "splits": {
                name: {"photos": len(members), "captions": len(self.captions_of(name))}
                for name, members in self.splits.items()
            },
            "skipped": [{"where": skip.where, "reason": skip.reason} for skip in self.skipped],
        }

    def limit(self, count: int) -> Collection:
        """Keep the first `count` images of every split, and their captions.

        Raises:
            InputError: `count` is below 2: one image matches every caption.
        """
        if count < 2:
            raise InputError(
                f"a limit of {count} images per split: expected at least 2, because one image matches every caption"
            )
        kept = {index for members in self.splits.values() for index in members[:count]}
        return keep_photos(self, kept)

    def check_splits(self) -> Collection:
        """Give this collection back if every split can be evaluated.

        Raises:
            InputError: there is no split, or one holds fewer than 2 images.
        """
        if not self.splits:
            raise InputError(f"{self.origin}: no split has any image left; {len(self.skipped)} things were skipped")
        for name, members in self.splits.items():
            if len(members) < 2:
                first = "".join(f"; the first thing skipped: {s.where}: {s.reason}" for s in self.skipped[:1])
                raise InputError(
                    f"{self.origin}: split {name!r} holds {len(members)} usable image{'s' * (len(members) != 1)}; "
                    "expected at least 2, because one image matches every caption and every score would be perfect"
                    + first
                )
        return self


def keep_photos(collection: Collection, kept: Iterable[int], *, skipped: Sequence[Skip] = ()) -> Collection:
    """Give the collection with only the images of these indices, their captions and splits, each in its old order.

    `skipped` is added to the collection's list.
    """
    order = sorted(set(kept))
    new = {old: position for position, old in enumerate(order)}
    return replace(
        collection,
        photos=tuple(collection.photos[old] for old in order),
        captions=tuple(replace(c, image=new[c.image]) for c in collection.captions if c.image in new),
        splits={name: tuple(new[old] for old in members if old in new) for name, members in collection.splits.items()},
        skipped=collection.skipped + tuple(skipped),
    )


def keep_captions(collection: Collection, kept: Iterable[int], *, skipped: Sequence[Skip] = ()) -> Collection:
    """Give the collection with only the captions of these indices, and without images that have none left."""
    wanted = set(kept)
    captions = tuple(caption for index, caption in enumerate(collection.captions) if index in wanted)
    return keep_photos(replace(collection, captions=captions), {caption.image for caption in captions}, skipped=skipped)


def texts_fingerprint(texts: Sequence[str]) -> str:
    """Give the SHA-256 over texts in their order, each by its length and its UTF-8 bytes."""
    return _digest(texts)


def _digest(parts: Iterable[str]) -> str:
    total = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", errors="surrogatepass")
        total.update(f"{len(data)}:".encode())
        total.update(data)
    return total.hexdigest()


def _refuse_twice(ids: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for value in ids:
        if value in seen:
            raise InputError(f"{what} id {value!r} comes twice; ids must be unique")
        seen.add(value)
