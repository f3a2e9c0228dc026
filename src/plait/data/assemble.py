"""From rows (image name, caption) to a `Collection`: find images, read or make splits, list everything left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from plait.core.errors import InputError
from plait.data.collection import Caption, Collection, Photo, Skip
from plait.data.finder import Finder
from plait.data.masks.source import MaskReading, MaskSource
from plait.data.splits import GivenSplits, SplitMaking

__all__ = ["Row", "assemble"]

_COLUMN = "column 'split'"


@dataclass(frozen=True)
class Row:
    """One caption as it was read.

    Fields:
        where: file and row, for messages
        image: the image's name
        text:  the caption, as written
        split: the split this row names, or None
        mask:  the region that the caption refers to, or None
        vocabulary: of which list of words it is one; "" = not declared
        answers: what is right to answer, where the text is a question
    """

    where: str
    image: str
    text: str
    split: str | None = None
    mask: MaskSource | None = None
    vocabulary: str = ""
    answers: tuple[str, ...] = ()


class _Images:
    """The images that rows name, in the order of their first row; two names of one file are one image.

    `names` holds each name that was looked for, with the id of its image or the reason why there is none; `photos` the
    images by their id.
    """

    def __init__(self, find: Finder) -> None:
        self.photos: dict[str, Photo] = {}
        self.find = find
        self.names: dict[str, str | Skip] = {}
        self._by_file: dict[Path, str] = {}

    def of(self, name: str) -> str | Skip:
        """Give the id of the image that is called so, adding it if it is new, or the reason why there is none."""
        if name not in self.names:
            found = self.find(name)
            self.names[name] = found if isinstance(found, Skip) else self._add(name, found)
        return self.names[name]

    def known(self, name: str) -> str | Skip | None:
        """Give the id of an image that rows named by this name or another, why there is no such image, or None."""
        if name in self.names:
            return self.names[name]
        found = self.find(name)
        if isinstance(found, Skip):
            return found
        return self._by_file.get(found) if isinstance(found, Path) else None

    def _add(self, name: str, found: Path | np.ndarray) -> str:
        if isinstance(found, Path):
            name = self._by_file.setdefault(found, name)
        if name not in self.photos:
            self.photos[name] = Photo(name, found)
        return name


def assemble(
    name: str,
    origin: str,
    *,
    rows: Iterable[Row],
    find: Finder,
    making: SplitMaking,
    splits: GivenSplits | None = None,
    row_splits: str = _COLUMN,
    skipped: Sequence[Skip] = (),
    reading: MaskReading | None = None,
) -> Collection:
    """Build a collection from rows; images come in the order in which rows first name them.

    Arguments:
        name, origin: of the collection
        rows:       the captions
        find:       gives the image of a name
        making:     how splits are made where neither `splits` nor the rows give any
        splits:     given with the data
        row_splits: what `Collection.splits_from` says where the rows name their split
        skipped:    what the reader left out already
        reading:    how masks are declared
    Raises:
        InputError: an image is in two splits, a split has fewer than 2 images, or nothing usable is left.
    """
    skipped = list(skipped)
    images = _Images(find)
    texts: list[tuple[str, str, Row]] = []  # image id, text, row
    homes: dict[str, str] = {}
    for row in rows:
        if not row.text.strip():
            skipped.append(Skip(row.where, f"the caption of {row.image} is empty"))
            continue
        is_first = row.image not in images.names
        image = images.of(row.image)
        if isinstance(image, Skip):
            if is_first:
                skipped.append(Skip(f"{row.where}: {image.where}", image.reason))
            continue
        texts.append((image, " ".join(row.text.split()), row))
        if row.split is not None and homes.setdefault(image, row.split) != row.split:
            raise InputError(
                f"{row.where}: image {row.image!r} is in split {row.split!r}, but an earlier row put it in "
                f"{homes[image]!r}; an image belongs to one split"
            )
    if not images.photos:
        first = f"; the first thing skipped: {skipped[0].where}: {skipped[0].reason}" if skipped else ""
        raise InputError(f"{origin}: no caption with an image{first}")
    index = {image: position for position, image in enumerate(images.photos)}
    if splits is None and homes:
        splits = GivenSplits(_by_split(homes), origin, row_splits)
    if splits is None:
        made = making.splits(list(index))
    else:
        made, lost = _given(splits, index, images, rows=[row for _, _, row in texts])
        skipped += lost
    in_split = {i for members in made.values() for i in members}
    if loose := [image for image, i in index.items() if i not in in_split]:
        more = ", ..." if len(loose) > 3 else ""
        where = origin if splits is None else splits.where
        skipped.append(Skip(where, f"{len(loose)} images are in no split: {', '.join(loose[:3])}{more}"))
    order = {old: new for new, old in enumerate(sorted(in_split))}
    photos = list(images.photos.values())
    return Collection(
        name=name,
        origin=origin,
        photos=tuple(photos[old] for old in order),
        captions=_captions(texts, index, order),
        splits={split: tuple(order[i] for i in members) for split, members in made.items()},
        skipped=tuple(skipped),
        reading=reading,
        splits_from=making.origin if splits is None else splits.origin,
    ).check_splits()


def _captions(
    texts: Sequence[tuple[str, str, Row]], index: Mapping[str, int], order: Mapping[int, int]
) -> tuple[Caption, ...]:
    """Number the captions of each image and give those of images that are in a split."""
    numbers: Counter[str] = Counter()
    captions = []
    for image, text, row in texts:
        number = numbers[image]
        numbers[image] += 1
        if index[image] in order:
            name = f"{image}#{number}"
            captions.append(
                Caption(
                    name,
                    text,
                    order[index[image]],
                    mask=row.mask,
                    vocabulary=row.vocabulary,
                    answers=row.answers,
                )
            )
    return tuple(captions)


def _given(
    splits: GivenSplits, index: Mapping[str, int], images: _Images, *, rows: Sequence[Row]
) -> tuple[dict[str, tuple[int, ...]], list[Skip]]:
    given: dict[str, tuple[int, ...]] = {}
    lost: list[Skip] = []
    home: dict[str, str] = {}
    # Common: only a part of a set of captions has masks or questions.
    lacking = "mask" if any(row.mask for row in rows) else "question" if any(row.answers for row in rows) else ""
    for name, members in splits.members.items():
        bare = []
        kept = []
        for member in members:
            image = images.known(member)
            key = image if isinstance(image, str) else member
            if key in home:
                both = f"{home[key]!r} and {name!r}" if home[key] != name else f"{name!r} twice"
                raise InputError(f"{splits.where}: image {member!r} is in {both}; an image belongs to one split, once")
            home[key] = name
            if isinstance(image, str):
                kept.append(index[image])
            elif image is None and lacking:
                bare.append(member)
            else:
                reason = "the image has no caption" if image is None else image.reason
                lost.append(Skip(f"{splits.where}, split {name!r}: {member}", reason))
        if bare:
            more = ", ..." if len(bare) > 3 else ""
            reason = f"{len(bare)} images have no {lacking}: {', '.join(bare[:3])}{more}"
            lost.append(Skip(f"{splits.where}, split {name!r}", reason, expected=True))
        if members:
            given[name] = tuple(kept)
        else:
            lost.append(Skip(f"{splits.where}, split {name!r}", "the split is empty"))
    return given, lost


def _by_split(homes: Mapping[str, str]) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = {}
    for image, split in homes.items():
        splits.setdefault(split, []).append(image)
    return splits
