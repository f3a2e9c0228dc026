"""Splits: given in `splits.json`, named by the rows, or made from the images' names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from plait.core.errors import ConfigError, InputError
from plait.data.sources.images_folder import list_folder
from plait.data.sources.table import read_json_file

__all__ = ["SPLITS_FILE", "GivenSplits", "SplitMaking", "find_splits", "read_splits"]

SPLITS_FILE = "splits.json"
# How alike a file's name must be to count as a misspelt splits.json: one letter or two, in any case.
_ALIKE = 0.9


@dataclass(frozen=True)
class GivenSplits:
    """Splits that come with the data.

    Fields:
        members: split -> image names
        where:   what messages call them, such as the file's path
        origin:  what `Collection.splits_from` says
    """

    members: Mapping[str, Sequence[str]]
    where: str
    origin: str


@dataclass(frozen=True)
class SplitMaking:
    """How splits are made where the data has none.

    An image's split follows from `seed` and its id alone, so images that are added later do not move the others. Only
    where a split would get fewer than 2 images, the 2 nearest to it are taken.

    Fields:
        seed:      another seed, another split
        val_frac:  expected part of the images in "val"
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

    @property
    def origin(self) -> str:
        """Give what `Collection.splits_from` says of splits made so."""
        return f"made by plait (seed {self.seed}, {100 * self.val_frac:g} % val, {100 * self.test_frac:g} % test)"

    def splits(self, ids: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """Give train, val and test as indices into `ids`.

        Raises:
            InputError: too few images for 2 in each split.
        """
        names = ["train", "val"] + (["test"] if self.test_frac > 0 else [])
        if len(ids) < 2 * len(names):
            raise InputError(
                f"{len(ids)} images cannot be split into {', '.join(names)}; expected at least {2 * len(names)}, "
                "2 per split"
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


def find_splits(folder: Path, *, besides: Path | None = None) -> GivenSplits | None:
    """Read `splits.json` of a folder; None where there is none.

    Arguments:
        folder:  where it may be
        besides: a file of the data itself, which is never taken for a misspelt splits.json
    Raises:
        InputError: it is a broken link, a folder or unreadable; or a file of nearly that name is there, which would be
            ignored.
    """
    path = folder / SPLITS_FILE
    if path.is_dir():
        raise InputError(f"{path}: is a folder; expected a file, or nothing if plait is to make the splits")
    if path.is_symlink() and not path.exists():
        raise InputError(f"{path}: is a link to {path.readlink()}, which does not exist; correct or remove the link")
    if path.is_file():
        return GivenSplits(read_splits(path), str(path), SPLITS_FILE)
    for other in list_folder(folder):
        if other != besides and _is_misspelt(other.name) and not other.is_dir():
            raise InputError(
                f"{other}: is this meant as {SPLITS_FILE}? It is not read under this name, and plait would make other "
                f"splits; rename it to {SPLITS_FILE} or move it out of the folder"
            )
    return None


def read_splits(path: Path) -> dict[str, list[str]]:
    """Read `splits.json`: an object of lists of image names.

    Raises:
        InputError: it is not; the message names the file and the key.
    """
    data = read_json_file(path)
    if not isinstance(data, dict) or not data:
        raise InputError(f'{path}: expected an object such as {{"train": ["a.jpg"], "val": ["b.jpg"]}}')
    for name, members in data.items():
        if not name.strip():
            raise InputError(f"{path}: a split has no name; expected names such as 'train' and 'val'")
        if not isinstance(members, list) or not all(isinstance(member, str) for member in members):
            raise InputError(f"{path}: key {name!r}: expected a list of image names")
    return data


def _is_misspelt(name: str) -> bool:
    plain = name.lower().removesuffix(".txt")  # which Windows' editors add and hide
    return SequenceMatcher(None, plain, SPLITS_FILE).ratio() >= _ALIKE


def _unit_interval(text: str) -> float:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") / 2**64
