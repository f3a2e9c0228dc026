"""Which part of an image a view shows, where it is in the encoder's square, and the mapping back."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from plait.core.errors import ConfigError, InputError
from plait.core.types import ImageSpec

__all__ = ["Geometry", "geometry_of"]


@dataclass(frozen=True)
class Geometry:
    """Which part of an image became which part of the encoder's square, so that a mask can be mapped back.

    Coordinates are of pixel edges: the first pixel spans 0 to 1, and its centre is at 0.5.

    Fields:
        height, width: of the image, px, upright (EXIF rotation applied)
        size_px:       side of the encoder's square
        box:           (x0, y0, x1, y1) of the part of the image that is shown, px of the image
        target:        (x0, y0, x1, y1) of its place in the square, px of the square before mirroring; the rest is
                       padding
        mirrored:      the square shows the image left to right
    """

    height: int
    width: int
    size_px: int
    box: tuple[float, float, float, float]
    target: tuple[int, int, int, int]
    mirrored: bool

    def to_photo(self, values: np.ndarray | Tensor, *, smooth: bool = True, outside: float = 0.0) -> np.ndarray:
        """Map values over the square (a token grid or a mask) to the image's own size.

        Formula: the centre of each image pixel is mapped to the square and read there, bilinear between the centres
        of the grid's cells (held constant beyond the outermost centres; cells of padding are not read) or, with
        smooth=False, from the cell it is in.

        Shapes:
            values:  (h, w) bool or float, row by row over the whole square; any h and w
            returns: (H, W) float32, or bool for bool input with smooth=False; `outside` where the image was cut off
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
        """Map pixel centres of one axis of the image to the (unmirrored) square; True where they are shown."""
        centre = np.arange(length) + 0.5
        low, high = self.box[axis], self.box[axis + 2]
        start, stop = self.target[axis], self.target[axis + 2]
        return start + (centre - low) / (high - low) * (stop - start), (centre >= low) & (centre <= high)


def geometry_of(height: int, width: int, spec: ImageSpec, *, view: str = "full", seed: int = 0) -> Geometry:
    """Give the part of an image that a view shows, and its place in the encoder's square.

    Views: "full"; "flip" (mirrored); "crop0" ... "crop9": a part of 70 to 100 % of the full view's area, of the same
    shape, anywhere in the image, drawn from the view's number and `seed`; odd numbers are mirrored.

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
    x1, y1 = min(x0 + box_width, float(width)), min(y0 + box_height, float(height))  # rounding may exceed the edge
    if spec.fit == "pad":
        scale = side / max(height, width)
        new_width = min(side, max(1, round(width * scale)))
        new_height = min(side, max(1, round(height * scale)))
        left, top = (side - new_width) // 2, (side - new_height) // 2
        if mirrored:  # the square is mirrored as a whole, and an odd margin must stay where `to_photo` expects it
            left = side - new_width - left
        target = (left, top, left + new_width, top + new_height)
    return Geometry(height, width, side, (x0, y0, x1, y1), target, mirrored)


def _draw_view(view: str, seed: int) -> tuple[bool, float, float, float]:
    """Give (mirrored, share of each side, place across in [0, 1], place down in [0, 1]) of a view."""
    if view in ("full", "flip"):
        return view == "flip", 1.0, 0.5, 0.5
    number = view.removeprefix("crop")
    if number == view or not (number.isascii() and number.isdigit()):
        raise ConfigError(f"unknown view {view!r}; expected 'full', 'flip' or 'crop' and a number, such as 'crop0'")
    # A hash, not a random generator: the crop is the same in every version of every library.
    draw = hashlib.blake2b(f"crop {int(number)} {seed}".encode(), digest_size=24).digest()
    area, across, down = (int.from_bytes(draw[i : i + 8], "big") / 2**64 for i in (0, 8, 16))
    return int(number) % 2 == 1, math.sqrt(0.7 + 0.3 * area), across, down


def _sampling(
    position: np.ndarray, within: tuple[float, float], smooth: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give lower cell, upper cell and the upper one's weight for positions in units of cells (edges at 0, 1, ...).

    Only cells that touch `within`, the part without padding, are read: the padding's values mean nothing. The bounds
    are rounded first, because 3 * (7 / 21) may be slightly above 1.
    """
    first, last = math.floor(round(within[0], 6)), math.ceil(round(within[1], 6)) - 1
    if not smooth:
        nearest_cell = np.clip(np.floor(position), first, last).astype(np.int64)
        return nearest_cell, nearest_cell, np.zeros(len(position), dtype=np.float32)
    centred = np.clip(position - 0.5, first, last)
    low = np.floor(centred).astype(np.int64)
    return low, np.minimum(low + 1, last), (centred - low).astype(np.float32)
