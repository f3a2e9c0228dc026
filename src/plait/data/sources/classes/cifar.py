"""CIFAR-10 and CIFAR-100 as their authors publish them: the binary version is read, the Python version is refused.

The Python version's files are pickles, and reading a pickle runs whatever code it holds.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from plait.core.errors import InputError
from plait.core.os_errors import os_sentence
from plait.data.assemble import Row, assemble
from plait.data.collection import Collection
from plait.data.sources.table import read_text
from plait.data.splits import GivenSplits, SplitMaking

__all__ = ["is_cifar", "open_cifar"]

SIDE = 32
PIXELS = 3 * SIDE * SIDE
# File of class names -> how many bytes of labels stand before each image; the last of them is the class.
_NAMES = {"batches.meta.txt": 1, "fine_label_names.txt": 2}
# Files of the Python version, CIFAR-100's under the folder name that its archive gives.
_PICKLED = ("data_batch_1", "batches.meta")
_PICKLED_100 = ("train", "test", "meta")
_TEST, _TRAIN = ("test_batch.bin", "test.bin"), ("data_batch_*.bin", "train.bin")


def is_cifar(path: Path) -> bool:
    """Tell whether a folder, or a file, is CIFAR's binary or Python version."""
    folder = path if path.is_dir() else path.parent
    if path.is_file():
        return path.name in _PICKLED or path.name.startswith("data_batch_")
    return any((folder / name).is_file() for name in _NAMES) or _is_pickled(folder)


def open_cifar(path: Path, *, images: Path | None = None, making: SplitMaking | None = None) -> Collection:
    """Open the binary version. Its test files are the split "test"; a part of the others becomes "val".

    Raises:
        InputError: the Python version, a file of another length, a label without a name, or `images` is given.
    """
    if images is not None:
        raise InputError(f"{path}: CIFAR's files hold their images, so no folder of images can be given")
    folder = path if path.is_dir() else path.parent
    names = next(((name, size) for name, size in _NAMES.items() if (folder / name).is_file()), None)
    if names is None:
        raise InputError(
            f"{path}: CIFAR's Python version is made of pickles, and reading a pickle runs the code in it, so Plait "
            "does not. Give the folder of the binary version (cifar-10-binary.tar.gz of the same page, unpacked), or "
            "write the images into one folder per class"
        )
    classes = [line.strip() for line in read_text(folder / names[0]).splitlines() if line.strip()]
    pictures: dict[str, np.ndarray] = {}
    rows: list[Row] = []
    parts: dict[bool, list[str]] = {False: [], True: []}  # whether they are test images -> ids
    for file in sorted({file for pattern in (*_TRAIN, *_TEST) for file in folder.glob(pattern)}):
        labels, pixels = _read(file, names[1])
        if int(labels.max()) >= len(classes):
            raise InputError(f"{file}: holds label {int(labels.max())}, but {names[0]} names {len(classes)} classes")
        for number, label in enumerate(labels):
            image = f"{file.stem}/{number:05d}"
            pictures[image] = pixels[number]
            parts[file.name in _TEST].append(image)
            rows.append(Row(f"{file}, image {number}", image, classes[label], answers=(classes[label],)))
    if not rows:
        raise InputError(f"{folder}: no data_batch_*.bin, train.bin, test_batch.bin or test.bin beside {names[0]}")
    making = making or SplitMaking()
    return assemble(
        folder.resolve().name,
        str(path),
        rows=rows,
        find=pictures.__getitem__,
        making=making,
        splits=_splits(folder, making, parts[False], parts[True]) if all(parts.values()) else None,
    )


def _splits(folder: Path, making: SplitMaking, rest: list[str], test: list[str]) -> GivenSplits:
    """Keep the authors' test images, and take val from the others."""
    made = replace(making, test_frac=0.0).splits(rest)
    members = {name: [rest[i] for i in places] for name, places in made.items()}
    origin = (
        f"CIFAR's own test images; val made by plait (seed {making.seed}, {100 * making.val_frac:g} % of the others)"
    )
    return GivenSplits({**members, "test": test}, str(folder), origin)


def _is_pickled(folder: Path) -> bool:
    return all((folder / name).is_file() for name in _PICKLED) or all(
        (folder / name).is_file() for name in _PICKLED_100
    )


def _read(file: Path, before: int) -> tuple[np.ndarray, np.ndarray]:
    """Give labels (N,) int64 and images (N, 32, 32, 3) uint8 of one file."""
    try:
        data = np.fromfile(file, dtype=np.uint8)
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {os_sentence(error)}") from error
    size = before + PIXELS
    if not len(data) or len(data) % size:
        raise InputError(f"{file}: {len(data):,} bytes; expected a multiple of {size}, which one image takes")
    table = data.reshape(-1, size)
    pixels = table[:, before:].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return table[:, before - 1].astype(np.int64), np.ascontiguousarray(pixels)
