"""From rows (image name, caption) to a `Collection`: find photos, read or make splits, list every loss."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np

from plait.core.errors import ConfigError, InputError
from plait.data.collection import Caption, Collection, Photo, Skip
from plait.data.images import IMAGE_SUFFIXES
from plait.data.masks.source import MaskReading, MaskSource

__all__ = ["Finder", "Row", "SplitMaking", "assemble", "file_finder", "read_json_file", "read_splits"]

# Gives the photo of a name, or the reason why there is none.
Finder = Callable[[str], "Path | np.ndarray | Skip"]


@dataclass(frozen=True)
class Row:
    """One caption as it was read.

    Fields:
        where: file and row, for messages
        image: the photo's name
        text:  the caption, as written
        split: the split this row names, or None
        mask:  the region it speaks of, or None
    """

    where: str
    image: str
    text: str
    split: str | None = None
    mask: MaskSource | None = None


@dataclass(frozen=True)
class SplitMaking:
    """How splits are made where the data has none.

    A photo's place follows from `seed` and its id alone, so that photos added later do not move the others. Only where
    a part would get fewer than 2 photos, the 2 nearest to it are taken.

    Fields:
        seed:      another seed, another split
        val_frac:  expected part of the photos in "val"
        test_frac: expected part in "test"; 0 = no such split
    """

    seed: int = 0
    val_frac: float = 0.1
    test_frac: float = 0.1

    def __post_init__(self) -> None:
        if not (0 < self.val_frac < 1 and 0 <= self.test_frac < 1 and self.val_frac + self.test_frac < 1):
            raise ConfigError(
                f"val_frac {self.val_frac} and test_frac {self.test_frac}: expected parts of 1 that leave some to train"
            )

    def splits(self, ids: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """Give train, val and test as indices into `ids`.

        Raises:
            InputError: too few photos for 2 in each split.
        """
        names = ["train", "val"] + (["test"] if self.test_frac > 0 else [])
        if len(ids) < 2 * len(names):
            raise InputError(
                f"{len(ids)} photos cannot be split into {', '.join(names)}; expected at least {2 * len(names)}, "
                "2 a split"
            )
        place = {i: _unit_interval(f"{self.seed} {name}") for i, name in enumerate(ids)}
        order = sorted(place, key=lambda i: (place[i], ids[i]))
        val = set(order[:2]) | {i for i in order if place[i] < self.val_frac}
        test: set[int] = set()
        if self.test_frac > 0:
            test = (set(order[-2:]) | {i for i in order if place[i] >= 1 - self.test_frac}) - set(order[:2])
        val -= test
        train = [i for i in range(len(ids)) if i not in val and i not in test]
        if len(train) < 2:  # by chance, in tiny sets
            middle = set(order[2:4])
            val, test, train = val - middle, test - middle, sorted(middle.union(train))
        made = {"train": tuple(train), "val": tuple(sorted(val)), "test": tuple(sorted(test))}
        return {name: made[name] for name in names}


def assemble(
    name: str,
    origin: str,
    *,
    rows: Iterable[Row],
    find: Finder,
    making: SplitMaking,
    splits: Mapping[str, Sequence[str]] | None = None,
    splits_origin: str = "splits.json",
    skipped: Sequence[Skip] = (),
    reading: MaskReading | None = None,
) -> Collection:
    """Build a collection from rows; photos come in the order in which rows first name them.

    `splits` gives photo names; without it the rows' own split is used, and without that splits are made.
    `skipped` is what the reader left out already, `reading` how it was told to read masks.

    Raises:
        InputError: a photo is in two splits, a split has fewer than 2 photos, or nothing usable is left.
    """
    skipped = list(skipped)
    photos: dict[str, Photo | None] = {}
    texts: list[tuple[str, Row]] = []
    homes: dict[str, str] = {}
    for row in rows:
        if not row.text.strip():
            skipped.append(Skip(row.where, f"the caption of {row.image} is empty"))
            continue
        if row.image not in photos:
            found = find(row.image)
            photos[row.image] = None if isinstance(found, Skip) else Photo(row.image, found)
            if isinstance(found, Skip):
                skipped.append(Skip(f"{row.where}: {found.where}", found.reason))
        if photos[row.image] is None:
            continue
        texts.append((" ".join(row.text.split()), row))
        if row.split is not None and homes.setdefault(row.image, row.split) != row.split:
            raise InputError(
                f"{row.where}: photo {row.image!r} is in split {row.split!r}, but an earlier row put it in "
                f"{homes[row.image]!r}; a photo belongs to one split"
            )
    kept = {key: photo for key, photo in photos.items() if photo is not None}
    if not kept:
        first = f"; the first thing skipped: {skipped[0].where}: {skipped[0].reason}" if skipped else ""
        raise InputError(f"{origin}: no caption with a photo in it{first}")
    index = {key: position for position, key in enumerate(kept)}
    if splits is None and homes:
        splits = _by_split(homes)
    if splits is None:
        made = making.splits(list(kept))
    else:
        made, lost = _given(splits, index, find, splits_origin, masks=any(row.mask for _, row in texts))
        skipped += lost
    in_split = {i for members in made.values() for i in members}
    if loose := [key for key, i in index.items() if i not in in_split]:
        more = ", ..." if len(loose) > 3 else ""
        skipped.append(Skip(splits_origin, f"{len(loose)} photos are in no split: {', '.join(loose[:3])}{more}"))
    order = {old: new for new, old in enumerate(sorted(in_split))}
    photo_list = list(kept.values())
    numbers: Counter[str] = Counter()
    captions = []
    for text, row in texts:
        number = numbers[row.image]
        numbers[row.image] += 1
        if index[row.image] in order:
            captions.append(Caption(f"{row.image}#{number}", text, order[index[row.image]], mask=row.mask))
    return Collection(
        name=name,
        origin=origin,
        photos=tuple(photo_list[old] for old in order),
        captions=tuple(captions),
        splits={split: tuple(order[i] for i in members) for split, members in made.items()},
        skipped=tuple(skipped),
        reading=reading,
    ).check_splits()


def file_finder(folder: Path, origin: str) -> Finder:
    """Give a `Finder` of photo files in a folder. A name without an image's suffix is tried with each.

    The finder raises:
        InputError: a name leads out of the folder.
    """

    def find(name: str) -> Path | Skip:
        pure = PurePosixPath(name)
        windows = PureWindowsPath(name)
        if pure.is_absolute() or windows.drive or windows.root or ".." in (*pure.parts, *windows.parts):
            raise InputError(f"{origin}: image name {name!r} leads out of {folder}; expected a file inside it")
        candidates = [folder / name]
        if pure.suffix.lower() not in IMAGE_SUFFIXES:
            candidates += [folder / (name + suffix) for suffix in IMAGE_SUFFIXES[:4]]
        for path in candidates:
            try:
                status = path.stat()
            except (OSError, ValueError):  # ValueError: a zero byte in the name
                continue
            if path.is_file():
                return path if status.st_size else Skip(name, "the image file is empty (0 bytes)")
        return Skip(name, f"no such image in {folder}")

    return find


def read_splits(path: Path) -> dict[str, list[str]]:
    """Read `splits.json`: an object of lists of image names.

    Raises:
        InputError: it is not; the message names the file and the key.
    """
    data = read_json_file(path)
    if not isinstance(data, dict):
        raise InputError(f'{path}: expected an object such as {{"train": ["a.jpg"], "val": ["b.jpg"]}}')
    for name, members in data.items():
        if not isinstance(members, list) or not all(isinstance(member, str) for member in members):
            raise InputError(f"{path}: key {name!r}: expected a list of image names")
    return data


def read_json_file(path: Path) -> object:
    """Read a JSON file.

    Raises:
        InputError: it cannot be read, is not UTF-8 or not JSON; the message names the file and the place.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from error
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON: {error}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def _given(
    splits: Mapping[str, Sequence[str]], index: Mapping[str, int], find: Finder, origin: str, *, masks: bool
) -> tuple[dict[str, tuple[int, ...]], list[Skip]]:
    given: dict[str, tuple[int, ...]] = {}
    lost: list[Skip] = []
    home: dict[str, str] = {}
    for name, members in splits.items():
        bare = []
        for member in members:
            if member in home:
                both = f"{home[member]!r} and {name!r}" if home[member] != name else f"{name!r} twice"
                raise InputError(f"{origin}: photo {member!r} is in {both}; a photo belongs to one split, once")
            home[member] = name
            if member not in index:
                found = find(member)
                if masks and not isinstance(found, Skip):  # common: only a part of a set of captions has masks
                    bare.append(member)
                    continue
                reason = found.reason if isinstance(found, Skip) else "the photo has no caption"
                lost.append(Skip(f"{origin}, split {name!r}: {member}", reason))
        if bare:
            more = ", ..." if len(bare) > 3 else ""
            lost.append(
                Skip(f"{origin}, split {name!r}", f"{len(bare)} photos have no mask: {', '.join(bare[:3])}{more}")
            )
        if members:
            given[name] = tuple(index[member] for member in members if member in index)
        else:
            lost.append(Skip(f"{origin}, split {name!r}", "the split is empty"))
    return given, lost


def _by_split(homes: Mapping[str, str]) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = {}
    for image, split in homes.items():
        splits.setdefault(split, []).append(image)
    return splits


def _unit_interval(text: str) -> float:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") / 2**64
