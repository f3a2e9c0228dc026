"""COCO's polygons and run lengths as pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from plait.core.errors import InputError
from plait.data.masks.source import Region

__all__ = ["outline", "rasterise", "runs_of"]


def rasterise(region: Region, name: str) -> np.ndarray:
    """Give the union of a region's parts: (height, width) bool.

    A polygon holds the pixels whose centre lies inside it by the even-odd rule; the polygons of one part are united.

    Raises:
        InputError: a polygon with an odd number of coordinates or fewer than 3 corners, or run lengths that do not fill
            the picture; the message names the mask.
    Source: Lin et al. 2014 (COCO). Differs: pycocotools draws polygon edges five-fold enlarged and rounds them; pixel
        centres decide here, so a border may differ by a pixel.
    """
    mask = np.zeros((region.height, region.width), dtype=bool)
    for part in region.parts:
        if isinstance(part, str) or (len(part) and not isinstance(part[0], Sequence)):
            counts = runs_of(part, name) if isinstance(part, str) else np.asarray(part, dtype=np.int64)
            if (counts < 0).any() or counts.sum() != mask.size:
                raise InputError(
                    f"mask {name}: its run lengths cover {counts.sum()} pixels, the image has {region.width} x "
                    f"{region.height}; it was drawn on another size"
                )
            ones = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
            mask |= ones.reshape(region.width, region.height).T
            continue
        for polygon in part:
            mask |= outline(polygon, region.height, region.width, name)  # type: ignore[arg-type]
    return mask


def outline(polygon: Sequence[float], height: int, width: int, name: str) -> np.ndarray:
    """Give the pixels whose centre lies in a polygon: flat x0, y0, ... -> (height, width) bool. Raises as above."""
    try:
        corners: Any = np.asarray(polygon, dtype=np.float64)
    except (TypeError, ValueError):  # words, or lists of other lengths
        corners = np.empty((0, 0))
    if corners.ndim != 1 or len(corners) % 2 or len(corners) < 6 or not np.isfinite(corners).all():
        raise InputError(
            f"mask {name}: expected a polygon x0, y0, x1, y1, ... of at least 3 corners, got {polygon!r:.60}"
        )
    x, y = corners[0::2], corners[1::2]
    x_next, y_next = np.roll(x, -1), np.roll(y, -1)
    first = max(0, int(np.floor(y.min())))
    last = min(height, int(np.ceil(y.max())) + 1)
    mask = np.zeros((height, width), dtype=bool)
    if first >= last:
        return mask
    rows = np.arange(first, last) + 0.5
    crosses = (y[:, None] <= rows) != (y_next[:, None] <= rows)
    edge, row = np.nonzero(crosses)
    at = x[edge] + (rows[row] - y[edge]) / (y_next[edge] - y[edge]) * (x_next[edge] - x[edge])
    # A pixel is to the right of a crossing where its centre is; one more column takes what lies beyond the image.
    column = np.clip(np.ceil(at - 0.5), 0, width).astype(np.int64)
    turns = np.zeros((last - first, width + 1), dtype=np.int64)
    np.add.at(turns, (row, column), 1)
    mask[first:last] = np.cumsum(turns, axis=1)[:, :width] % 2 == 1
    return mask


def runs_of(text: str, name: str) -> np.ndarray:
    """Decode COCO's compressed run lengths: six bits a character; from the fourth on, differences to two before.

    Raises:
        InputError: a character that is none of COCO's, or a text that ends within a number.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise InputError(f"mask {name}: {character!r} is no character of COCO's run lengths")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise InputError(f"mask {name}: its run lengths end within a number")
    return np.array(counts, dtype=np.int64)
