"""What is in an image file: its size, how it is stored, and whether it can be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from plait.core.errors import InputError
from plait.data.images import PillowImage, has_opacity, load_rgb, opened, refuse_huge, unreadable, upright

__all__ = ["FileFacts", "Stored", "check_photo", "inspect_photo", "load_stored", "photo_size"]

_ORIENTATION = 0x0112  # the EXIF tag
_QUARTER_TURNS = (5, 6, 7, 8)


def check_photo(source: Path | np.ndarray) -> str | None:
    """Give what is wrong with an image, or None when all of it can be decoded. JPEGs are decoded at 1/8 scale."""
    try:
        load_rgb(source, enough_px=8)
    except InputError as error:
        return str(error)
    return None


@dataclass(frozen=True)
class FileFacts:
    """Properties of an image file.

    Fields:
        width, height: px, upright (EXIF rotation applied)
        kind:    the file's format, such as "JPEG"
        mode:    Pillow's name for how pixels are stored: "RGB", "L", "CMYK", "P", "RGBA", "I;16" ...
        rotated: the EXIF data asks for a rotation or mirroring
        transparent: part of the pixels with an opacity below one half, in [0, 1]; None without transparency
        rgb:     (h, w, 3) uint8, the image, maybe at a reduced size
    """

    width: int
    height: int
    kind: str
    mode: str
    rotated: bool
    transparent: float | None
    rgb: np.ndarray


def inspect_photo(path: Path, *, enough_px: int = 64) -> FileFacts:
    """Decode an image completely, JPEGs at reduced scale, and give its properties. Raises as `load_rgb`."""
    rgb = load_rgb(path, enough_px=enough_px)
    with opened(path) as image:
        kind, mode, width, height = str(image.format), image.mode, image.width, image.height
        turn = _turn_of(image)
        transparent = None
        if has_opacity(image):
            transparent = float((np.asarray(image.convert("RGBA"))[:, :, 3] < 128).mean())
    if turn in _QUARTER_TURNS:
        width, height = height, width
    return FileFacts(width, height, kind, mode, turn in range(2, 9), transparent, rgb)


@dataclass(frozen=True)
class Stored:
    """An image file's pixels as they are stored, for masks: nothing is converted, because numbers may be labels.

    Fields:
        mode:    Pillow's name of how pixels are stored
        numbers: (H, W) grey levels, palette numbers or 16-bit values; or (H, W, 3) uint8 of colours
        opacity: (H, W) uint8, 255 = opaque, or None without transparency
        colours: (256, 3) uint8 of a palette, else None
    """

    mode: str
    numbers: np.ndarray
    opacity: np.ndarray | None
    colours: np.ndarray | None


def load_stored(path: Path) -> Stored:
    """Read an image file as it is stored. Raises as `load_rgb`."""
    try:
        with opened(path) as image:
            refuse_huge(path, image.width, image.height)
            image.load()
            return _stored(path, upright(image))
    except InputError:
        raise
    except Exception as error:  # Pillow's readers raise almost anything on damaged files
        raise unreadable(path, error) from error


def _stored(path: Path, image: PillowImage) -> Stored:
    opacity = colours = None
    if has_opacity(image):
        opacity = np.asarray(image.convert("RGBA"))[:, :, 3]
    if image.mode == "P":
        colours = np.zeros((256, 3), dtype=np.uint8)
        given = np.array(image.getpalette("RGB") or [], dtype=np.uint8)
        colours[: len(given) // 3] = given.reshape(-1, 3)
    if image.mode == "F":
        raise InputError(f"image {path}: floating-point pixels have no defined range; save it as 8-bit grey")
    if image.mode == "1":
        image = image.convert("L")
    if image.mode in ("P", "L") or image.mode.startswith("I"):
        return Stored(image.mode, np.asarray(image), opacity, colours)
    if image.mode in ("LA", "La", "PA"):
        return Stored(image.mode, np.asarray(image.convert("LA"))[:, :, 0], opacity, None)
    return Stored(
        image.mode, np.asarray(image.convert("RGBA" if opacity is not None else "RGB"))[:, :, :3], opacity, colours
    )


def photo_size(source: Path | np.ndarray) -> tuple[int, int]:
    """Give an image's (height, width), upright, from the file's header: nothing is decoded. Raises as `load_rgb`."""
    if isinstance(source, np.ndarray):
        return int(source.shape[0]), int(source.shape[1])
    try:
        with opened(source) as image:
            refuse_huge(source, image.width, image.height)
            quarter = _turn_of(image) in _QUARTER_TURNS
            return (image.width, image.height) if quarter else (image.height, image.width)
    except InputError:
        raise
    except Exception as error:
        raise unreadable(source, error) from error


def _turn_of(image: PillowImage) -> int:
    """Give the EXIF orientation, 1 to 8; 1 where there is none or it is damaged."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # an image whose EXIF data is damaged is still an image
        return 1
