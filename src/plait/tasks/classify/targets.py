"""The class of each image, and the refusal of data that has none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from plait.core.errors import InputError
from plait.data.collection import Collection

__all__ = ["ClassTargets", "check_classes", "class_numbers"]


def check_classes(collection: Collection) -> None:
    """Refuse data whose images do not have one class each.

    Raises:
        InputError: a caption is no class, or an image has two different ones; the message names the first.
    """
    example = "give one folder of images per class, or labels.csv with columns image,label"
    if not collection.has_classes:
        other = next((c.id for c in collection.captions if c.answers != (c.text,)), None)
        found = "there is no caption" if other is None else f"caption {other!r} is none"
        raise InputError(
            f"data {collection.name!r}: task 'classify' needs the class of every image, and {found}; {example}"
        )
    first: dict[int, str] = {}
    for caption in collection.captions:
        if first.setdefault(caption.image, caption.text) != caption.text:
            raise InputError(
                f"data {collection.name!r}: image {collection.photos[caption.image].id!r} has the classes "
                f"{first[caption.image]!r} and {caption.text!r}; expected one: a class excludes the others"
            )


def class_numbers(collection: Collection, classes: Sequence[str]) -> np.ndarray:
    """Give each caption's class as its place in the list: (captions,) int64, -1 where the list lacks it."""
    place = {name: number for number, name in enumerate(classes)}
    return np.array([place.get(caption.answers[0], -1) for caption in collection.captions], dtype=np.int64)


class ClassTargets:
    """The classes of a collection's captions.

    Arguments:
        numbers: (captions,) int64; see `class_numbers`
    """

    def __init__(self, numbers: np.ndarray) -> None:
        self.numbers = numbers

    def take(self, rows: np.ndarray, view: np.ndarray, /) -> Tensor:
        """Give the classes of captions `rows` (B,) int64: (B,) int64; the view changes nothing."""
        return torch.from_numpy(self.numbers[rows])
