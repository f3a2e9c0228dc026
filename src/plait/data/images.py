"""Photos to pixels and back: decoding, the views of a photo, normalising, and the geometry that undoes them."""

from __future__ import annotations

import hashlib
import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from plait.core.errors import ConfigError, InputError
from plait.core.types import ImageSpec

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "FileFacts",
    "Geometry",
    "check_photo",
    "denormalise",
    "geometry_of",
    "inspect_photo",
    "load_levels",
    "load_rgb",
    "normalise",
    "read_pixels",
    "thumbnail_jpeg",
    "to_pixels",
]

# Larger photos are refused before decoding: 90 megapixels are 270 MB of RGB, and a few kilobytes of PNG can hold that.
MAX_PIXELS = 89_478_485
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")
# Named, because Pillow would otherwise try every plug-in it has, one of which runs Ghostscript.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
_WITH_ALPHA = ("RGBA", "LA", "PA", "La", "RGBa")
_ORIENTATION = 0x0112  # the EXIF tag
_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@dataclass(frozen=True)
class Geometry:
    """Which part of a photo became which part of the encoder's square, so that a mask can go back.

    Coordinates are of pixel edges: the first pixel spans 0 to 1 and its centre lies at 0.5.

    Fields:
        height, width: of the photo, px, as seen (EXIF rotation applied)
        size_px:       side of the encoder's square
        box:           (x0, y0, x1, y1) of the part of the photo that is shown, px of the photo
        target:        (x0, y0, x1, y1) of where it lies in the square, px of the square before mirroring; the rest is
                       padding
        mirrored:      the square shows the photo left to right
    """

    height: int
    width: int
    size_px: int
    box: tuple[float, float, float, float]
    target: tuple[int, int, int, int]
    mirrored: bool

    def to_photo(self, values: np.ndarray | Tensor, *, smooth: bool = True, outside: float = 0.0) -> np.ndarray:
        """Map values over the square (a token grid or a mask) to the photo's own size.

        Formula: the centre of each photo pixel is carried to the square and read there, bilinear between the centres
        of the grid's cells (held constant beyond the outermost centres; cells of padding are not read) or, with
        smooth=False, from the cell it is in.

        Shapes:
            values:  (h, w) bool or float, row by row over the whole square; any h and w
            returns: (H, W) float32, or bool for bool input with smooth=False; `outside` where the photo was cut off
        Raises:
            InputError: `values` is not two-dimensional.
        """
        array = values.detach().cpu().float().numpy() if isinstance(values, Tensor) else np.asarray(values)
        is_mask = values.dtype in (torch.bool, np.bool_)
        if array.ndim != 2 or 0 in array.shape:
            raise InputError(f"to_photo: expected values of shape (h, w), got {tuple(array.shape)}")
        array = array.astype(np.float32)
        x, seen_x = self._to_square(self.width, 0)
        y, seen_y = self._to_square(self.height, 1)
        left, top, right, bottom = self.target
        if self.mirrored:
            x, left, right = self.size_px - x, self.size_px - right, self.size_px - left
        scale_x, scale_y = array.shape[1] / self.size_px, array.shape[0] / self.size_px
        across = _sampling(x * scale_x, (left * scale_x, right * scale_x), smooth)
        down = _sampling(y * scale_y, (top * scale_y, bottom * scale_y), smooth)
        rows = array[down[0]] * (1 - down[2])[:, None] + array[down[1]] * down[2][:, None]
        result = rows[:, across[0]] * (1 - across[2]) + rows[:, across[1]] * across[2]
        result = np.where(seen_y[:, None] & seen_x[None, :], result, np.float32(outside))
        return result > 0.5 if is_mask and not smooth else result.astype(np.float32)

    def _to_square(self, length: int, axis: int) -> tuple[np.ndarray, np.ndarray]:
        """Carry pixel centres of one axis of the photo to the (unmirrored) square; True where they are shown."""
        centre = np.arange(length) + 0.5
        low, high = self.box[axis], self.box[axis + 2]
        start, stop = self.target[axis], self.target[axis + 2]
        return start + (centre - low) / (high - low) * (stop - start), (centre >= low) & (centre <= high)


def geometry_of(height: int, width: int, spec: ImageSpec, *, view: str = "full", seed: int = 0) -> Geometry:
    """Tell which part of a photo a view shows and where it lies in the encoder's square.

    Views: "full"; "flip" (mirrored); "crop0" ... "crop9": a part of 70 to 100 % of the full view's area, of the same
    shape, anywhere in the photo, drawn from the view's number and `seed`; odd numbers are mirrored.

    Raises:
        ConfigError: an unknown view.
    """
    box_width, box_height = float(width), float(height)
    if spec.fit == "crop":
        box_width = box_height = float(min(height, width))
    mirrored, share, across, down = _draw_view(view, seed)
    box_width *= share
    box_height *= share
    x0, y0 = (width - box_width) * across, (height - box_height) * down
    side = spec.size_px
    target = (0, 0, side, side)
    x1, y1 = min(x0 + box_width, float(width)), min(y0 + box_height, float(height))  # rounding may lead past the edge
    if spec.fit == "pad":
        scale = side / max(height, width)
        new_width = min(side, max(1, round(width * scale)))
        new_height = min(side, max(1, round(height * scale)))
        left, top = (side - new_width) // 2, (side - new_height) // 2
        if mirrored:  # the square is mirrored as a whole, and an odd margin must stay where `to_photo` looks for it
            left = side - new_width - left
        target = (left, top, left + new_width, top + new_height)
    return Geometry(height, width, side, (x0, y0, x1, y1), target, mirrored)


def to_pixels(rgb: np.ndarray, spec: ImageSpec, *, view: str = "full", seed: int = 0) -> Tensor:
    """Make the tensor an image encoder reads: crop, resize, mirror, scale to [0, 1], then (x - mean) / std.

    Shapes:
        rgb:     (H, W, 3) uint8
        returns: (3, S, S) float32; padding is 0, which is `mean`
    Raises:
        ConfigError: an unknown view (see `geometry_of`).
        InputError: `rgb` is not (H, W, 3) uint8.
    Relations: `geometry_of` with the same arguments tells where each pixel came from.
    """
    rgb = _checked(rgb)
    place = geometry_of(rgb.shape[0], rgb.shape[1], spec, view=view, seed=seed)
    x0, y0, x1, y1 = place.target
    # Cropping and resizing in one step: a 1 x 10,000 photo never becomes 260 x 2,600,000 on the way.
    part = Image.fromarray(rgb).resize((x1 - x0, y1 - y0), _FILTERS[spec.resample], box=place.box)
    shown = normalise(np.array(part), spec)
    if (x1 - x0, y1 - y0) != (spec.size_px, spec.size_px):
        square = torch.zeros(3, spec.size_px, spec.size_px)
        square[:, y0:y1, x0:x1] = shown
        shown = square
    return shown.flip(-1) if place.mirrored else shown


def read_pixels(source: Path | np.ndarray, spec: ImageSpec, *, view: str = "full", seed: int = 0) -> Tensor:
    """Decode a photo, at reduced scale where it is a large JPEG, and give `to_pixels` of it. Raises as both do."""
    return to_pixels(load_rgb(source, enough_px=2 * spec.size_px), spec, view=view, seed=seed)


def normalise(rgb: np.ndarray, spec: ImageSpec) -> Tensor:
    """Scale to [0, 1], then (x - mean) / std: (H, W, 3) uint8 -> (3, H, W) float32."""
    # Bytes are put in order before they become floats: a quarter of the memory is moved.
    values = torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1))).to(torch.float32)
    for channel, mean, std in zip(values, spec.mean, spec.std, strict=True):
        channel.mul_(1 / (255 * std)).sub_(mean / std)
    return values


def denormalise(pixels: Tensor, spec: ImageSpec) -> np.ndarray:
    """Undo `normalise` for display: (3, H, W) float -> (H, W, 3) uint8, clipped."""
    mean, std = torch.tensor(spec.mean), torch.tensor(spec.std)
    values = (pixels.detach().cpu().float() * std[:, None, None] + mean[:, None, None]) * 255
    array: np.ndarray = values.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
    return array


def load_rgb(source: Path | str | np.ndarray, *, enough_px: int = 0) -> np.ndarray:
    """Decode a photo as it is meant to be seen.

    EXIF rotation is applied; 16-bit grey is scaled to 8; palettes, grey and CMYK become RGB; what is transparent lies
    on white; of an animation the first frame is taken. An array of the right kind is given back as it is.

    Args:
        source: path of an image file, or (H, W, 3) uint8 array
        enough_px: a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size (fast) as long as its short side keeps at
            least this many pixels; 0 = always at its full size

    Shapes:
        returns: (H, W, 3) uint8
    Raises:
        InputError: the file is missing, empty, damaged, cut short, larger than `MAX_PIXELS`, or no known image.
    """
    if isinstance(source, np.ndarray):
        return _checked(source)
    path = Path(source)
    try:
        with Image.open(path, formats=_FORMATS) as image:
            width, height = image.size
            _refuse_huge(path, width, height)
            if enough_px and image.format in ("JPEG", "MPO"):
                shrink = max(1, min(width, height) // enough_px)
                if shrink > 1:
                    image.draft("RGB", (math.ceil(width / shrink), math.ceil(height / shrink)))
            image.load()
            return _to_rgb(path, _upright(image))
    except InputError:
        raise
    except Exception as error:  # Pillow's readers raise almost anything on damaged files
        raise _unreadable(path, error) from error


def check_photo(source: Path | np.ndarray) -> str | None:
    """Give what is wrong with a photo, or None when it decodes to its end. JPEGs are read at 1/8 scale, all of it."""
    try:
        load_rgb(source, enough_px=8)
    except InputError as error:
        return str(error)
    return None


@dataclass(frozen=True)
class FileFacts:
    """What an image file is, beside its pixels.

    Fields:
        width, height: px, as seen (EXIF rotation applied)
        kind:    the file's format, such as "JPEG"
        mode:    Pillow's name of how pixels are stored: "RGB", "L", "CMYK", "P", "RGBA", "I;16" ...
        rotated: EXIF asks for a rotation or mirroring
        clear:   part of the pixels that are more transparent than not, in [0, 1]; None without transparency
        rgb:     (h, w, 3) uint8, the photo at a size that may be reduced
    """

    width: int
    height: int
    kind: str
    mode: str
    rotated: bool
    clear: float | None
    rgb: np.ndarray


def inspect_photo(path: Path, *, enough_px: int = 64) -> FileFacts:
    """Decode a photo to its end, JPEGs at reduced scale, and tell what kind of file it is. Raises as `load_rgb`."""
    rgb = load_rgb(path, enough_px=enough_px)
    with Image.open(path, formats=_FORMATS) as image:
        kind, mode, width, height = str(image.format), image.mode, image.width, image.height
        try:
            turn = int(image.getexif().get(_ORIENTATION, 1))
        except Exception:  # a photo whose EXIF block is damaged is still a photo
            turn = 1
        clear = None
        if mode in _WITH_ALPHA or "transparency" in image.info:
            clear = float((np.asarray(image.convert("RGBA"))[:, :, 3] < 128).mean())
    if turn in (5, 6, 7, 8):  # a quarter turn
        width, height = height, width
    return FileFacts(width, height, kind, mode, turn in range(2, 9), clear, rgb)


def load_levels(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Read a mask as it is stored: grey levels (H, W) uint8, or colour's luma, and its opacity (H, W) uint8 or None.

    A palette's numbers are the levels, because label maps are stored so. Raises as `load_rgb`.
    """
    load_rgb(path)  # says what is wrong with a damaged file
    with Image.open(path, formats=_FORMATS) as image:
        alpha = None
        if image.mode in _WITH_ALPHA:
            alpha = np.asarray(image.convert("RGBA"))[:, :, 3]
        if image.mode == "P":
            return np.asarray(image), alpha
        if image.mode.startswith("I"):
            levels = np.asarray(image).astype(np.int64)
            return np.minimum(levels, 255).astype(np.uint8), alpha
        return np.asarray(image.convert("L")), alpha


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
        raise InputError(f"photo in memory: expected a (H, W, 3) uint8 array, got {rgb.shape} {rgb.dtype}")
    _refuse_huge("in memory", rgb.shape[1], rgb.shape[0])
    return rgb


def _refuse_huge(path: Path | str, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise InputError(
            f"photo {path}: {width} x {height} pixels; expected at most {MAX_PIXELS:,} in all. Make it smaller first"
        )


def _unreadable(path: Path, error: Exception) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError(f"photo {path}: no such file")
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return InputError(f"photo {path}: more than {MAX_PIXELS:,} pixels; make it smaller first")
    if path.is_dir():
        return InputError(f"photo {path}: is a folder")
    if path.is_file() and path.stat().st_size == 0:
        return InputError(f"photo {path}: the file is empty (0 bytes)")
    if isinstance(error, Image.UnidentifiedImageError):
        return InputError(f"photo {path}: not an image of a known kind ({', '.join(_FORMATS)})")
    return InputError(f"photo {path}: cannot be decoded, damaged or cut short ({error})")


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a photo whose EXIF block is damaged is still a photo; it is taken as it lies
        return image


def _to_rgb(path: Path, image: Image.Image) -> np.ndarray:
    if image.mode == "RGB":
        return np.array(image)
    if image.mode.startswith("I"):  # 16-bit grey; Pillow's own conversion would clip everything above 255 to white
        grey = np.asarray(image).astype(np.int64)
        if grey.min() < 0 or grey.max() > 65535:
            raise InputError(f"photo {path}: 32-bit grey values {grey.min()} to {grey.max()}; expected 0 to 65535")
        return np.repeat(((grey + 128) // 257).astype(np.uint8)[:, :, None], 3, axis=2)
    if image.mode == "F":
        raise InputError(f"photo {path}: floating-point pixels have no agreed range; save it as 8-bit RGB")
    if image.mode in _WITH_ALPHA or "transparency" in image.info:
        over = image.convert("RGBA")
        white = Image.new("RGBA", over.size, (255, 255, 255, 255))
        return np.array(Image.alpha_composite(white, over).convert("RGB"))
    return np.array(image.convert("RGB"))


def _draw_view(view: str, seed: int) -> tuple[bool, float, float, float]:
    """Give (mirrored, share of each side, place across in [0, 1], place down in [0, 1]) of a view."""
    if view in ("full", "flip"):
        return view == "flip", 1.0, 0.5, 0.5
    number = view.removeprefix("crop")
    if number == view or not (number.isascii() and number.isdigit()):
        raise ConfigError(f"unknown view {view!r}; expected 'full', 'flip' or 'crop' and a number, such as 'crop0'")
    # A hash, not a random generator: the same crop in every version of every library.
    draw = hashlib.blake2b(f"crop {int(number)} {seed}".encode(), digest_size=24).digest()
    area, across, down = (int.from_bytes(draw[i : i + 8], "big") / 2**64 for i in (0, 8, 16))
    return int(number) % 2 == 1, math.sqrt(0.7 + 0.3 * area), across, down


def _sampling(
    position: np.ndarray, within: tuple[float, float], smooth: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give lower cell, upper cell and the upper one's weight for positions in units of cells (edges at 0, 1, ...).

    Only cells that touch `within`, the part that is no padding, are read: the padding's values mean nothing. The bounds
    are rounded first, because 3 * (7 / 21) may come out a hair above 1.
    """
    first, last = math.floor(round(within[0], 6)), math.ceil(round(within[1], 6)) - 1
    if not smooth:
        nearest_cell = np.clip(np.floor(position), first, last).astype(np.int64)
        return nearest_cell, nearest_cell, np.zeros(len(position), dtype=np.float32)
    centred = np.clip(position - 0.5, first, last)
    low = np.floor(centred).astype(np.int64)
    return low, np.minimum(low + 1, last), (centred - low).astype(np.float32)
