"""Render scenes: coloured shapes on a soft background, anti-aliased, from distances to their edges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from plait.core.errors import InputError

__all__ = ["COLOURS", "SHAPES", "SIZES", "Scene", "Thing", "render", "thing_mask"]

# sRGB, different enough to be distinguished at a few pixels, after the small variation of each shape's colour.
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 40, 40),
    "green": (46, 160, 67),
    "blue": (38, 84, 214),
    "yellow": (244, 211, 48),
    "purple": (139, 48, 168),
    "white": (245, 245, 245),
}
# Half the height and width, in parts of the image's side.
SIZES: dict[str, float] = {"small": 0.088, "large": 0.165}
MINIMUM_PX = 16
LATTICE = 5


@dataclass(frozen=True)
class Thing:
    """One shape in an image.

    Fields:
        shape:  a name of `SHAPES`
        colour: a name of `COLOURS`
        size:   a name of `SIZES`
        x, y:   its centre, in parts of the image's side, from the left and from the top
        grow:   factor on its size, near 1
        shade:  added to each channel of its colour, in [-255, 255], near 0
    """

    shape: str
    colour: str
    size: str
    x: float
    y: float
    grow: float = 1.0
    shade: int = 0

    @property
    def radius(self) -> float:
        """Give half its height and width, in parts of the image's side."""
        return SIZES[self.size] * self.grow


@dataclass(frozen=True)
class Scene:
    """The content of an image.

    Fields:
        id:       unique in its collection
        things:   in no meaningful order; they do not overlap
        backdrop: seed of the background
        family:   scenes of one family have the same shapes, colours and sizes, combined differently
    """

    id: str
    things: tuple[Thing, ...]
    backdrop: int = 0
    family: int = 0


def render(scene: Scene, size_px: int = 64) -> np.ndarray:
    """Draw a scene.

    Formula: over the background, each thing's colour with opacity clip(1/2 - d, 0, 1), where d is the signed distance
    of a pixel's centre to the thing's edge in pixels, negative inside.

    Shapes: returns (size_px, size_px, 3) uint8, sRGB.
    Raises:
        InputError: size_px is below 16; a small ring would be a dot.
    """
    _check_size(size_px)
    image = _background(scene.backdrop, size_px)
    for thing in scene.things:
        opacity, rows, columns = _opacity(thing, size_px)
        colour = np.clip(np.array(COLOURS[thing.colour], dtype=np.float64) + thing.shade, 0, 255)
        patch = image[rows, columns]
        patch += opacity[..., None] * (colour - patch)
    return np.rint(image).astype(np.uint8)


def thing_mask(scene: Scene, number: int, *, size_px: int = 64) -> np.ndarray:
    """Give the pixels that shape `number` covers by half or more: (size_px, size_px) bool. Raises as `render`."""
    _check_size(size_px)
    opacity, rows, columns = _opacity(scene.things[number], size_px)
    mask = np.zeros((size_px, size_px), dtype=bool)
    mask[rows, columns] = opacity >= 0.5
    return mask


def _check_size(size_px: int) -> None:
    if size_px < MINIMUM_PX:
        raise InputError(f"scenes, size_px: expected at least {MINIMUM_PX}, got {size_px}; a small ring would be a dot")


def _background(seed: int, size_px: int) -> np.ndarray:
    """Give a soft background, (size_px, size_px, 3) float64 in [70, 190]: a tinted grey of varying brightness."""
    random = np.random.default_rng(seed)
    grey = random.integers(95, 166)
    tint = random.integers(-12, 13, size=3)
    lattice = random.integers(-13, 14, size=(LATTICE, LATTICE)).astype(np.float64)
    along = _interpolated(_interpolated(lattice, size_px).T, size_px).T
    return along[..., None] + (grey + tint).astype(np.float64)


def _interpolated(values: np.ndarray, length: int) -> np.ndarray:
    """Stretch the first axis linearly to `length`."""
    at = (np.arange(length) + 0.5) * (len(values) - 1) / length
    below = at.astype(np.int64)
    part = (at - below)[:, None]
    stretched: np.ndarray = values[below] * (1 - part) + values[below + 1] * part
    return stretched


def _opacity(thing: Thing, size_px: int) -> tuple[np.ndarray, slice, slice]:
    """Give a thing's opacity in the smallest window that holds it, (h, w) float64 in [0, 1], and the window."""
    radius = thing.radius * size_px
    x, y = thing.x * size_px, thing.y * size_px
    reach = radius + 1
    columns = slice(max(0, int(x - reach)), max(0, min(size_px, int(x + reach) + 1)))
    rows = slice(max(0, int(y - reach)), max(0, min(size_px, int(y + reach) + 1)))
    # In units of the radius, and y upwards from here on, as the outlines below are written.
    across = (np.arange(columns.start, columns.stop) + 0.5 - x)[None, :] / radius
    up = (y - 0.5 - np.arange(rows.start, rows.stop))[:, None] / radius
    distance = SHAPES[thing.shape](across, up) * radius
    return np.clip(0.5 - distance, 0.0, 1.0), rows, columns


def _circle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.sqrt(x * x + y * y) - 0.95


def _ring(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.abs(np.sqrt(x * x + y * y) - 0.72) - 0.23


def _square(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(x), np.abs(y)) - 0.84


def _cross(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    across, up = np.abs(x), np.abs(y)
    bar = np.maximum(across - 0.95, up - 0.33)
    return np.minimum(bar, np.maximum(across - 0.33, up - 0.95))


# The outlines' corners are rounded to 4 places, so that no machine's sine decides a pixel.
TRIANGLE = ((0.0, 0.95), (0.97, -0.73), (-0.97, -0.73))
STAR = (
    (0.0, 1.0),
    (0.2351, 0.3236),
    (0.9511, 0.3090),
    (0.3804, -0.1236),
    (0.5878, -0.8090),
    (0.0, -0.4),
    (-0.5878, -0.8090),
    (-0.3804, -0.1236),
    (-0.9511, 0.3090),
    (-0.2351, 0.3236),
)


def _triangle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _polygon(x, y, TRIANGLE)


def _star(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _polygon(x, y, STAR)


def _polygon(x: np.ndarray, y: np.ndarray, corners: tuple[tuple[float, float], ...]) -> np.ndarray:
    """Give the signed distance to a closed outline: to the nearest edge, negative where a ray crosses it odd times."""
    shape = np.broadcast(x, y).shape
    nearest = np.full(shape, np.inf)
    inside = np.zeros(shape, dtype=bool)
    for (ax, ay), (bx, by) in zip(corners, (*corners[1:], corners[0]), strict=True):
        ex, ey = bx - ax, by - ay
        along = np.clip(((x - ax) * ex + (y - ay) * ey) / (ex * ex + ey * ey), 0.0, 1.0)
        dx, dy = x - ax - along * ex, y - ay - along * ey
        nearest = np.minimum(nearest, dx * dx + dy * dy)
        if ay != by:
            inside ^= ((y < ay) != (y < by)) & (x < ax + (y - ay) * ex / ey)
    return np.where(inside, -1.0, 1.0) * np.sqrt(nearest)


SHAPES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "ring": _ring,
    "cross": _cross,
}
