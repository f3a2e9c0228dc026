"""Draw a map of weights over an image, cell by cell: the overlay is never finer than the map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from plait.core.errors import InputError, ShapeError, StorageError
from plait.core.os_errors import os_sentence
from plait.data.geometry import Geometry

__all__ = ["COLOURS", "colour_scale", "grid_box", "overlay", "paint_mask", "save_png"]

# Lightness rises steadily, so the order of weights can be seen in grey print and with colour blindness. The page of the
# report uses the same five anchors.
COLOURS = ((30, 16, 68), (114, 31, 129), (205, 64, 113), (253, 150, 104), (252, 246, 184))


def colour_scale(weights: np.ndarray, *, top: float | None = None) -> np.ndarray:
    """Give a colour for each weight: 0 is the darkest, `top` (the largest weight when None) the lightest.

    The scale begins at 0, not at the smallest weight, so that a uniform map looks uniform.

    Shapes:
        weights: (...) float >= 0
        returns: (..., 3) uint8
    Raises:
        InputError: a weight is negative or not finite.
    """
    values = np.asarray(weights, dtype=np.float64)
    if not np.isfinite(values).all() or (values < 0).any():
        raise InputError(
            "weights of a map: expected finite numbers of at least 0; take absolute values or clip them first"
        )
    highest = float(values.max(initial=0.0)) if top is None else top
    place = np.clip(values / highest, 0, 1) if highest > 0 else np.zeros_like(values)
    stops = np.linspace(0, 1, len(COLOURS))
    channels = [np.interp(place, stops, [colour[c] for colour in COLOURS]) for c in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def grid_box(geometry: Geometry) -> tuple[float, float, float, float]:
    """Give the edges of the encoder's square, which are those of its grid, in shares of the image: x0, y0, x1, y1.

    Formula: the shown part of the image fills `target` of the square; the square's own edges follow by proportion.

    Raises:
        InputError: the view is mirrored; its map belongs to the mirrored image.
    """
    if geometry.mirrored:
        raise InputError("map over an image: expected an unmirrored view, got a mirrored one; use the view 'full'")
    (x0, y0, x1, y1), (left, top, right, bottom) = geometry.box, geometry.target
    across, down = (x1 - x0) / (right - left), (y1 - y0) / (bottom - top)
    side, width, height = geometry.size_px, geometry.width, geometry.height
    return (
        (x0 - left * across) / width,
        (y0 - top * down) / height,
        (x0 + (side - left) * across) / width,
        (y0 + (side - top) * down) / height,
    )


def overlay(
    rgb: np.ndarray,
    weights: np.ndarray,
    *,
    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0),
    opacity: float = 0.65,
    top: float | None = None,
) -> np.ndarray:
    """Blend a map's cells over an image.

    Every pixel of a cell has the cell's colour. Nothing is smoothed, because a smooth overlay would suggest a
    resolution that a 7 x 7 grid does not have. Pixels outside `box`, which the model never saw, are darkened.

    Shapes:
        rgb:     (H, W, 3) uint8
        weights: (h, w) float >= 0, row by row
        box:     x0, y0, x1, y1 of the grid's edges in shares of the image's width and height. A centre crop covers less
                 than the image; padding reaches beyond it, below 0 and above 1. `grid_box` gives it
        returns: (H, W, 3) uint8, a new array
    Units: `opacity` 0 (image only) to 1 (map only).
    Raises:
        ShapeError: the image is not (H, W, 3), or the map not (h, w).
        InputError: the image is not uint8, a weight is negative or not finite, opacity is outside [0, 1], or the box is
            empty.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or weights.ndim != 2 or 0 in rgb.shape or 0 in weights.shape:
        raise ShapeError(f"overlay: expected an image (H, W, 3) and a map (h, w), got {rgb.shape} and {weights.shape}")
    if rgb.dtype != np.uint8:
        raise InputError(f"overlay: expected an image of uint8 from 0 to 255, got {rgb.dtype}")
    x0, y0, x1, y1 = box
    if not 0 <= opacity <= 1 or not (x0 < x1 and y0 < y1):
        raise InputError(f"overlay: expected opacity in [0, 1] and x0 < x1, y0 < y1; got {opacity} and box {box}")
    row, row_seen = _cells(rgb.shape[0], weights.shape[0], y0, y1)
    column, column_seen = _cells(rgb.shape[1], weights.shape[1], x0, x1)
    colours = colour_scale(weights, top=top)[row[:, None], column[None, :]].astype(np.float64)
    blended = (1 - opacity) * rgb + opacity * colours
    seen = (row_seen[:, None] & column_seen[None, :])[..., None]
    result: np.ndarray = np.where(seen, blended, rgb * 0.35).round().astype(np.uint8)
    return result


def paint_mask(
    rgb: np.ndarray, mask: np.ndarray, *, colour: tuple[int, int, int] = (64, 200, 120), opacity: float = 0.55
) -> np.ndarray:
    """Tint a region of an image and leave the rest as it is.

    Shapes:
        rgb:     (H, W, 3) uint8
        mask:    (H, W) bool, True = tinted
        returns: (H, W, 3) uint8, a new array
    Units: `opacity` 0 (image only) to 1 (colour only).
    Raises:
        ShapeError: the two differ in size, or the mask is not bool.
        InputError: the image is not uint8, or opacity is outside [0, 1].
    """
    if rgb.shape != (*mask.shape, 3) or mask.dtype != np.bool_:
        raise ShapeError(f"mask over an image: expected (H, W, 3) and (H, W) bool, got {rgb.shape} and {mask.shape}")
    if rgb.dtype != np.uint8 or not 0 <= opacity <= 1:
        raise InputError(f"mask over an image: expected uint8 and opacity in [0, 1], got {rgb.dtype} and {opacity}")
    result = rgb.copy()
    tinted = (1 - opacity) * rgb[mask] + opacity * np.array(colour, dtype=np.float64)
    result[mask] = tinted.round().astype(np.uint8)
    return result


def save_png(rgb: np.ndarray, path: Path | str) -> Path:
    """Write an (H, W, 3) or grey (H, W) uint8 image as PNG and give its path; missing folders are made.

    Raises:
        StorageError: the file cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rgb).save(path, format="PNG")
    except OSError as error:
        raise StorageError(f"image {path}: cannot be written: {os_sentence(error, 'write')}") from None
    return path


def _cells(pixels: int, cells: int, start: float, end: float) -> tuple[np.ndarray, np.ndarray]:
    """Give each pixel's cell along one axis, and whether the grid covers it."""
    centre = (np.arange(pixels) + 0.5) / pixels
    place = (centre - start) / (end - start)
    return np.clip((place * cells).astype(np.int64), 0, cells - 1), (place >= 0) & (place < 1)
