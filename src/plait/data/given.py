"""What a user may give as images, texts, fusions, seeds and paths; what is none is refused by its position."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from plait.core.errors import ConfigError, InputError, PlaitError, shown
from plait.core.os_errors import os_sentence
from plait.core.recipe.ranges import MOST_SEEDS, RANGES, Range, checked_number
from plait.data.collection import Photo
from plait.data.images import PillowImage, decoded, rgb_of_pillow

__all__ = [
    "ImageInput",
    "Images",
    "Texts",
    "as_path",
    "fusion_names",
    "image_list",
    "label_list",
    "photo_of",
    "seed_list",
    "text_list",
]

# An image, one or several of them, and one text or several: what verbs of models take.
ImageInput = str | os.PathLike[str] | bytes | np.ndarray | Tensor | PillowImage
Images = ImageInput | Iterable[ImageInput]
Texts = str | Iterable[str]

_ACCEPTED = (
    "a path, the bytes of an image file, a Pillow image, an array (H, W, 3) or (H, W) of uint8, or a tensor (3, H, W) "
    "of uint8 or of float in [0, 1]"
)


def image_list(images: Any) -> list[Photo]:
    """Read one image or any sequence of them; see `photo_of` for what an image may be.

    A four-dimensional array (B, H, W, 3) or tensor (B, 3, H, W) is a sequence.

    Raises:
        InputError: no image, or something that is none; the message names its position.
    """
    if _is_one_image(images):
        return [photo_of(images, "image 1 of 1", number=0)]
    given = _listed(images, "images", f"one image or a list of images; an image is {_ACCEPTED}")
    if not given:
        raise InputError("expected at least one photo, got none")
    return [photo_of(one, f"image {n + 1} of {len(given)}", number=n) for n, one in enumerate(given)]


def photo_of(image: Any, name: str, *, number: int | None = None) -> Photo:
    """Read one image: a path (str or Path), bytes, a Pillow image, an array or a tensor.

    Shapes:
        array:  (H, W, 3) uint8, or grey (H, W) uint8
        tensor: (3, H, W) uint8, or float in [0, 1]
    Arguments:
        name:   what a message calls it, such as "image 2 of 5"
        number: position in the list, for the id of an image that is no file; None = it stands alone
    Raises:
        InputError: as said; whether a file can be read shows when it is read.
    """
    if isinstance(image, str | os.PathLike):
        path = as_path(image, name, error=InputError)
        return Photo(str(path), path)
    place = "" if number is None else f" {number}"
    if isinstance(image, bytes | bytearray | memoryview):
        return Photo(f"bytes{place}", decoded(bytes(image), name))
    if isinstance(image, Tensor):
        return Photo(f"tensor{place}", _rgb_of_tensor(image, name))
    if isinstance(image, np.ndarray):
        return Photo(f"array{place}", _rgb_of_array(image, name))
    pillow = rgb_of_pillow(image, name)
    if pillow is None:
        raise InputError(f"{name}: expected {_ACCEPTED}, got {_said(image)}")
    return Photo(f"Pillow image{place}", pillow)


def text_list(texts: Any, what: str = "sentence") -> list[str]:
    """Read one text or any sequence of them.

    Arguments:
        what: what a message calls a text
    Raises:
        InputError: no text, or one that is empty, no string or without words; the message names its position.
    """
    given = [texts] if isinstance(texts, str) else _listed(texts, f"{what}s", f"a {what} or a list of {what}s")
    if not given:
        raise InputError(f"expected at least one {what}, got none")
    found = []
    for number, text in enumerate(given, start=1):
        at = f"{what} {number} of {len(given)}"
        if not isinstance(text, str):
            raise InputError(f"{at}: expected a string, got {_said(text)}")
        if not text.strip():
            raise InputError(f"{at} is empty; expected words")
        found.append(str(text))
    return found


def label_list(labels: Any) -> list[str]:
    """Read the labels that an image may have: a list of names, or one string in which commas separate them.

    Raises:
        InputError: fewer than two labels, an empty one, one that comes twice, or something that is no string.
    """
    given = labels.split(",") if isinstance(labels, str) else _listed(labels, "labels", 'names such as "cat,dog,bird"')
    found: list[str] = []
    for number, label in enumerate(given, start=1):
        at = f"labels, number {number} of {len(given)}"
        if not isinstance(label, str):
            raise InputError(f"{at}: expected a name, got {_said(label)}")
        name = " ".join(label.split())
        if not name:
            raise InputError(f"{at} is empty; expected names such as cat,dog,bird, without a comma too many")
        if name.casefold() in {one.casefold() for one in found}:
            raise InputError(f"{at}: {name!r} comes twice; its probability would be divided between the two")
        found.append(name)
    if len(found) < 2:
        raise InputError(
            f"labels: expected at least two, got {len(found)}; with one label its probability is 1 for every photo"
        )
    return found


def fusion_names(fusions: Any) -> list[str]:
    """Read the names of fusions: a list of them, or one string in which commas separate them, as on the command line.

    Raises:
        ConfigError: no name, or something that is no string.
    """
    given = (
        fusions.split(",")
        if isinstance(fusions, str)
        else _listed(fusions, "fusions", 'names such as ["late", "cross"] or "late,cross"', error=ConfigError)
    )
    for number, name in enumerate(given, start=1):
        if not isinstance(name, str):
            raise ConfigError(f"fusions, number {number} of {len(given)}: expected a name, got {_said(name)}")
    names = [str(name).strip() for name in given if name.strip()]
    if not names:
        raise ConfigError("expected at least one fusion; `plait list fusions` shows them")
    return names


def seed_list(seeds: Any) -> list[int]:
    """Read seeds: how many (0, 1, ...), or which, as any sequence; one that comes twice counts once.

    Raises:
        ConfigError: no seed, a string, or a number out of range.
    """
    if isinstance(seeds, str):
        raise ConfigError(f"seeds: expected how many, as in seeds=3, or which, as in seeds=[0, 3]; got {_said(seeds)}")
    if seeds is None or isinstance(seeds, bool | float | int | np.number):
        return list(range(checked_number(seeds, "seeds", Range(1, MOST_SEEDS, why="how many; or give a list"))))
    given = _listed(seeds, "seeds", "how many, as in seeds=3, or a list such as [0, 3]", error=ConfigError)
    if not given or len(given) > MOST_SEEDS:
        raise ConfigError(f"seeds: expected at least one seed and at most {MOST_SEEDS:,}, got {len(given)}")
    allowed = RANGES["train.seed"]
    numbers = [checked_number(one, f"seeds, number {n}", allowed) for n, one in enumerate(given, start=1)]
    return list(dict.fromkeys(numbers))


def as_path(path: Any, name: str, *, error: type[PlaitError] = ConfigError) -> Path:
    """Read a path, str or Path, that is not empty.

    Raises:
        PlaitError: of the kind `error`; the message begins with `name`.
    """
    if not isinstance(path, str | os.PathLike):
        raise error(f"{name}: expected a path (str or Path), got {_said(path)}")
    text = os.fspath(path)
    if isinstance(text, bytes):
        text = os.fsdecode(text)
    if not text.strip() or "\0" in text:
        raise error(f"{name}: expected a path, got {'an empty one' if not text.strip() else 'one with a null byte'}")
    try:
        os.lstat(text)
    except OSError as problem:
        if problem.errno == errno.ENAMETOOLONG:  # what else is wrong shows when the path is used
            raise error(f"{name}: {shown(text)}: {os_sentence(problem)}") from problem
    return Path(text)


def _is_one_image(images: Any) -> bool:
    if isinstance(images, Tensor):
        return images.ndim < 4
    if isinstance(images, np.ndarray):
        # An array of strings or objects is a list; one of numbers is a picture, or a batch where it has 4 dimensions.
        return images.dtype.kind not in "OUST" and images.ndim < 4
    return isinstance(images, str | bytes | bytearray | memoryview | os.PathLike) or not isinstance(images, Iterable)


def _listed(given: Any, name: str, expected: str, *, error: type[PlaitError] = InputError) -> list[Any]:
    """Give any sequence as a list: a list, tuple, array, tensor, Series or generator."""
    if isinstance(given, Mapping | Set | bytes | str) or not isinstance(given, Iterable):
        hint = "; it has no order, use a list" if isinstance(given, Mapping | Set) else ""
        raise error(f"{name}: expected {expected}, got {_said(given)}{hint}")
    if isinstance(given, np.ndarray | Tensor) and given.ndim == 0:
        raise error(f"{name}: expected {expected}, got one value of type {type(given).__name__}")
    return list(given)


def _rgb_of_array(array: np.ndarray, name: str) -> np.ndarray:
    if array.dtype == np.uint8 and 0 not in array.shape:
        if array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 1):
            return np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)
        if array.ndim == 3 and array.shape[2] == 3:
            return array
    hint = ""
    if array.ndim == 3 and array.shape[0] == 3 and array.shape[2] != 3:
        hint = "; channels come last, use array.transpose(1, 2, 0)"
    elif array.dtype.kind == "f":
        hint = "; scale to 0 to 255 and use array.astype(numpy.uint8)"
    elif array.ndim == 3 and array.shape[2] == 4:
        hint = "; leave out the fourth channel, array[..., :3]"
    raise InputError(f"{name}: expected an array (H, W, 3) or (H, W) of uint8, got {array.shape} {array.dtype}{hint}")


def _rgb_of_tensor(tensor: Tensor, name: str) -> np.ndarray:
    wanted = f"{name}: expected a tensor (3, H, W) of uint8, or of float in [0, 1]"
    if tensor.ndim != 3 or tensor.shape[0] != 3 or not tensor.numel():
        raise InputError(f"{wanted}, got {tuple(tensor.shape)} {tensor.dtype}")
    plain = tensor.detach().cpu()
    if plain.is_floating_point():
        plain = plain.float()
        low, high = float(plain.min()), float(plain.max())
        if not 0 <= low <= high <= 1:  # NaN fails this too
            raise InputError(f"{wanted}, got {tensor.dtype} from {low:g} to {high:g}; undo its normalisation first")
        plain = (plain * 255).round().to(torch.uint8)
    if plain.dtype != torch.uint8:
        raise InputError(f"{wanted}, got {tensor.dtype}")
    return np.ascontiguousarray(plain.permute(1, 2, 0).numpy())


def _said(value: Any) -> str:
    """Say what came, in a few words."""
    if value is None:
        return "None"
    if isinstance(value, str | int | float) and not isinstance(value, np.generic):
        said = repr(value)
        kind = "a string" if isinstance(value, str) else type(value).__name__
        return f"{said if len(said) <= 60 else said[:57] + '...'}, {kind}"
    return f"a value of type {type(value).__name__}"
