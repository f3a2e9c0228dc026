"""From image files to pixels: decode, crop and resize to a view, normalise. `geometry` maps results back."""

from __future__ import annotations

import io
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from plait.core.errors import InputError
from plait.core.os_errors import has_advice, os_sentence
from plait.core.types import ImageSpec
from plait.data.geometry import Geometry, geometry_of

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "Geometry",
    "PillowImage",
    "decoded",
    "geometry_of",
    "has_opacity",
    "load_rgb",
    "normalise",
    "opened",
    "read_pixels",
    "refuse_huge",
    "rgb_of_pillow",
    "thumbnail_jpeg",
    "to_pixels",
    "unreadable",
    "upright",
]

# What Pillow calls an image; no other file of this room knows that library.
PillowImage = Image.Image
# Larger images are refused before decoding: 90 megapixels are 270 MB of RGB, which a PNG of a few kB can contain.
MAX_PIXELS = 89_478_485
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")
# Listed, because Pillow would otherwise try all its plug-ins, one of which runs Ghostscript.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
_WITH_ALPHA = ("RGBA", "LA", "PA", "La", "RGBa")
_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


def to_pixels(rgb: np.ndarray, spec: ImageSpec, *, view: str = "full", seed: int = 0) -> Tensor:
    """Make the tensor an image encoder reads: crop, resize, mirror, scale to [0, 1], then (x - mean) / std.

    Shapes:
        rgb:     (H, W, 3) uint8
        returns: (3, S, S) float32; padding is 0, which is `mean`
    Raises:
        ConfigError: an unknown view (see `geometry_of`).
        InputError: `rgb` is not (H, W, 3) uint8.
    Relations: `geometry_of` with the same arguments gives the place of each pixel in the image.
    """
    rgb = _checked(rgb)
    place = geometry_of(rgb.shape[0], rgb.shape[1], spec, view=view, seed=seed)
    x0, y0, x1, y1 = place.target
    # Cropping and resizing in one step: a 1 x 10,000 image never becomes 260 x 2,600,000 on the way.
    part = Image.fromarray(rgb).resize((x1 - x0, y1 - y0), _FILTERS[spec.resample], box=place.box)
    shown = normalise(np.array(part), spec)
    if (x1 - x0, y1 - y0) != (spec.size_px, spec.size_px):
        square = shown.new_zeros(3, spec.size_px, spec.size_px)
        square[:, y0:y1, x0:x1] = shown
        shown = square
    return shown.flip(-1) if place.mirrored else shown


def read_pixels(source: Path | np.ndarray, spec: ImageSpec, *, view: str = "full", seed: int = 0) -> Tensor:
    """Decode an image, at reduced scale where it is a large JPEG, and give `to_pixels` of it. Raises as both do."""
    return to_pixels(load_rgb(source, enough_px=2 * spec.size_px), spec, view=view, seed=seed)


def normalise(rgb: np.ndarray, spec: ImageSpec) -> Tensor:
    """Scale to [0, 1], then (x - mean) / std: (H, W, 3) uint8 -> (3, H, W) float32."""
    # Transposed as bytes, before they become floats: a quarter of the memory is moved.
    values = torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1))).to(torch.float32)
    for channel, mean, std in zip(values, spec.mean, spec.std, strict=True):
        channel.mul_(1 / (255 * std)).sub_(mean / std)
    return values


def load_rgb(source: Path | str | np.ndarray, *, enough_px: int = 0) -> np.ndarray:
    """Decode an image to RGB, upright.

    EXIF rotation is applied; 16-bit grey is scaled to 8; palettes, grey and CMYK become RGB; transparent pixels become
    white; of an animation the first frame is taken. An array of the right kind is returned as it is.

    Arguments:
        source:    path of an image file, or (H, W, 3) uint8 array
        enough_px: a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size (fast) as long as its short side keeps at
            least this many pixels; 0 = always at its full size

    Shapes:
        returns: (H, W, 3) uint8
    Raises:
        InputError: the file is missing, empty, damaged, cut short, larger than `MAX_PIXELS`, or not an image.
    """
    if isinstance(source, np.ndarray):
        return _checked(source)
    path = Path(source)
    try:
        with opened(path) as image:
            width, height = image.size
            refuse_huge(path, width, height)
            if enough_px and image.format in ("JPEG", "MPO"):
                shrink = max(1, min(width, height) // enough_px)
                if shrink > 1:
                    image.draft("RGB", (math.ceil(width / shrink), math.ceil(height / shrink)))
            image.load()
            return _to_rgb(path, upright(image))
    except InputError:
        raise
    except Exception as error:  # Pillow's readers raise almost anything on damaged files
        raise unreadable(path, error) from error


def decoded(content: bytes, name: str) -> np.ndarray:
    """Decode the bytes of an image file to RGB, upright, as `load_rgb` does.

    Arguments:
        name: what a message calls the image
    Shapes:
        returns: (H, W, 3) uint8
    Raises:
        InputError: no bytes, or no image of a known kind.
    """
    if not content:
        raise InputError(f"{name}: 0 bytes; expected the content of an image file")
    try:
        with opened(io.BytesIO(content)) as image:
            refuse_huge(name, image.width, image.height)
            image.load()
            return _to_rgb(name, upright(image))
    except InputError:
        raise
    except Exception as error:  # Pillow's readers raise almost anything on damaged files
        raise InputError(
            f"{name}: {len(content):,} bytes that are no image of a known kind, damaged or cut short"
        ) from error


def rgb_of_pillow(image: Any, name: str) -> np.ndarray | None:
    """Give the RGB pixels of a Pillow image, upright, (H, W, 3) uint8; None where `image` is none.

    Raises:
        InputError: it cannot be decoded, is too large, or holds pixels without a defined range.
    """
    if not isinstance(image, Image.Image):
        return None
    refuse_huge(name, image.width, image.height)
    if not image.width or not image.height:
        raise InputError(f"{name}: a Pillow image of {image.width} x {image.height} pixels; expected at least one")
    try:
        return _to_rgb(name, upright(image))
    except InputError:
        raise
    except Exception as error:  # the file behind it may be closed, or cut short
        raise InputError(f"{name}: the Pillow image cannot be read ({error})") from error


def thumbnail_jpeg(rgb: np.ndarray, side_px: int) -> bytes:
    """Give a small JPEG whose longer side is at most `side_px`. Raises InputError unless `rgb` is (H, W, 3) uint8."""
    image = Image.fromarray(_checked(rgb))
    scale = side_px / max(image.size)
    if scale < 1:
        new = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(new, Image.Resampling.LANCZOS, reducing_gap=3.0)
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=80, optimize=True)
    return buffer.getvalue()


def _checked(rgb: np.ndarray) -> np.ndarray:
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or 0 in rgb.shape:
        raise InputError(f"image in memory: expected a (H, W, 3) uint8 array, got {rgb.shape} {rgb.dtype}")
    refuse_huge("in memory", rgb.shape[1], rgb.shape[0])
    return rgb


def opened(path: Path | io.BytesIO) -> Image.Image:
    """Open an image file without Pillow's warnings: `refuse_huge` refuses huge ones, and bad EXIF data is harmless."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)
        return Image.open(path, formats=_FORMATS)


def refuse_huge(path: Path | str, width: int, height: int) -> None:
    """Refuse an image of more than `MAX_PIXELS` pixels. Raises InputError."""
    if width * height > MAX_PIXELS:
        raise InputError(
            f"image {path}: {width} x {height} pixels; expected at most {MAX_PIXELS:,} in all. Make it smaller first"
        )


def unreadable(path: Path, error: Exception) -> InputError:
    """Give the error that says why an image cannot be read, from what Pillow or the system raised."""
    if isinstance(error, FileNotFoundError):
        return InputError(f"image {path}: no such file")
    if isinstance(error, OSError) and has_advice(error) and not path.is_dir():
        return InputError(f"image {path}: cannot be read: {os_sentence(error)}")
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return InputError(f"image {path}: more than {MAX_PIXELS:,} pixels; make it smaller first")
    if path.is_dir():
        return InputError(f"image {path}: is a folder")
    if path.is_file() and path.stat().st_size == 0:
        return InputError(f"image {path}: the file is empty (0 bytes)")
    if isinstance(error, Image.UnidentifiedImageError):
        return InputError(f"image {path}: not an image of a known kind ({', '.join(_FORMATS)})")
    return InputError(f"image {path}: cannot be decoded, damaged or cut short ({error})")


def upright(image: Image.Image) -> Image.Image:
    """Apply the rotation or mirroring that the EXIF data asks for."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # an image whose EXIF data is damaged is still an image; it is not rotated
        return image


def _to_rgb(path: Path | str, image: Image.Image) -> np.ndarray:
    if image.mode == "RGB":
        return np.array(image)
    if image.mode.startswith("I"):  # 16-bit grey; Pillow's conversion would clip everything above 255 to white
        grey = np.asarray(image).astype(np.int64)
        if grey.min() < 0 or grey.max() > 65535:
            raise InputError(f"image {path}: 32-bit grey values {grey.min()} to {grey.max()}; expected 0 to 65535")
        return np.repeat(((grey + 128) // 257).astype(np.uint8)[:, :, None], 3, axis=2)
    if image.mode == "F":
        raise InputError(f"image {path}: floating-point pixels have no defined range; save it as 8-bit RGB")
    if has_opacity(image):
        over = image.convert("RGBA")
        white = Image.new("RGBA", over.size, (255, 255, 255, 255))
        return np.array(Image.alpha_composite(white, over).convert("RGB"))
    return np.array(image.convert("RGB"))


def has_opacity(image: Image.Image) -> bool:
    """Tell whether an image is transparent somewhere, by its mode or one colour of it."""
    return image.mode in _WITH_ALPHA or "transparency" in image.info
