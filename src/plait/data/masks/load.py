"""Masks: from a file, array or region to (H, W) bool, from there to the encoder's square, and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from plait.core.errors import ConfigError, InputError
from plait.core.types import ImageSpec, MaskTarget
from plait.data.geometry import Geometry, geometry_of
from plait.data.image_files import Stored, load_stored, photo_size
from plait.data.masks.region import rasterise
from plait.data.masks.source import MaskSource, Region

__all__ = ["another_size", "frame_to_photo", "load_mask", "mask_to_frame"]

# With more than this part of its pixels between 1/4 and 3/4 of the range, a grey image is not a mask with soft edges.
_MOST_BETWEEN = 0.2
_ROWS_AT_ONCE = 1024


def load_mask(source: MaskSource, image: Path | np.ndarray | tuple[int, int] | None = None) -> np.ndarray:
    """Read a mask: True = the pixel is meant.

    Arguments:
        source: the mask's content and polarity
        image:  its image, or (H, W) of the upright image, which must be the mask's size too; None = not checked

    "foreground" means pixels that are not black. With two levels (0 and 1, 0 and 255, 16-bit 0 and 65,535) these are
    the non-zero ones; with more levels up to white, which are soft edges, the upper half. What would need a guess is
    refused: more than two dark levels (a label map), a photograph, transparency, a palette whose colours contradict its
    numbers.

    Shapes:
        returns: (H, W) bool
    Raises:
        InputError: the mask or its image cannot be read, their sizes differ, or the mask contradicts its polarity; the
            message names the row.
    """
    content = source.content
    if isinstance(content, Region):
        mask = rasterise(content, source.name)
    elif isinstance(content, np.ndarray):
        mask = _marked(_as_stored(content, source), source)
    else:
        try:
            stored = load_stored(content)
        except InputError as error:
            raise _about(source, str(error).removeprefix(f"image {content}: ")) from error
        mask = _marked(stored, source)
    if image is None:
        return mask
    size = image if isinstance(image, tuple) else photo_size(image)
    if mask.shape != size:
        raise InputError(another_size(source, mask.shape, size))
    return mask


def another_size(source: MaskSource, got: tuple[int, ...], wanted: tuple[int, int]) -> str:
    """Give the message that a mask of (H, W) `got` does not fit its image of (H, W) `wanted`."""
    return (
        f"mask {source.name}: {got[1]} x {got[0]} px, but its image has {wanted[1]} x {wanted[0]}; save masks at the "
        "size of the upright image (EXIF rotation applied)"
    )


def mask_to_frame(
    mask: np.ndarray, spec: ImageSpec, *, cells: tuple[int, int], view: str = "full", seed: int = 0
) -> MaskTarget:
    """Map a mask to the image encoder's square: the part of each cell's area that is marked.

    Formula: values = R M C^T with R, C the areas that cell and image pixel share along each axis, divided by the part
    of the cell that is inside the image; exact for any size, crop, padding and mirroring (no sampling).

    Shapes:
        mask:    (H, W) bool
        cells:   (h, w) of the decoder's grid over the whole square
        returns: values (1, h, w) float32 in [0, 1], valid (1, h, w) bool: at least half of the cell is inside the
            image (if an image is so thin that no cell is: at least half as much as the fullest cell)
    Raises:
        InputError: `mask` is not (H, W) bool.
        ConfigError: an unknown view, or a grid without cells.
    Relations: `view` and `seed` as in `to_pixels`.
    """
    if mask.ndim != 2 or mask.dtype != np.bool_ or 0 in mask.shape:
        raise InputError(f"mask_to_frame: expected a (H, W) bool mask, got {mask.shape} {mask.dtype}")
    if min(cells) < 1:
        raise ConfigError(f"mask_to_frame, cells: expected at least 1 a side, got {cells}")
    place = geometry_of(mask.shape[0], mask.shape[1], spec, view=view, seed=seed)
    down, inside_down = _shares(place, 1, cells[0])
    across, inside_across = _shares(place, 0, cells[1])
    values = np.zeros(cells, dtype=np.float64)
    for first in range(0, mask.shape[0], _ROWS_AT_ONCE):  # a mask 12,000 px wide would take hundreds of MB as floats
        rows = slice(first, first + _ROWS_AT_ONCE)
        if down[:, rows].any():
            values += down[:, rows] @ (mask[rows].astype(np.float32) @ across.T)
    shown = torch.from_numpy(np.clip(values, 0.0, 1.0).astype(np.float32))
    valid = torch.from_numpy(np.outer(_mostly(inside_down), _mostly(inside_across)))
    if place.mirrored:
        shown, valid = shown.flip(-1), valid.flip(-1)
    return MaskTarget(shown[None].contiguous(), valid[None].contiguous())


def frame_to_photo(values: np.ndarray | Tensor, geometry: Geometry, *, outside: float = 0.0) -> np.ndarray:
    """Map a decoder's output over the square back to the image's own size.

    Where parts of the image were cut off, give probabilities, not logits: those pixels get `outside`.

    Shapes:
        values:  (h, w) float over the whole square
        returns: (H, W) float32, bilinear between the centres of cells; cells of padding are not read
    Raises:
        InputError: `values` is not two-dimensional.
    Relations: see `Geometry.to_photo`.
    """
    return geometry.to_photo(values, smooth=True, outside=outside)


def _shares(place: Geometry, axis: int, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the (cells, length) float32 weights of pixels in each cell, and its part inside the image, (cells,)."""
    length = (place.width, place.height)[axis]
    low, high = place.box[axis], place.box[axis + 2]
    start, stop = place.target[axis], place.target[axis + 2]
    edges = start + (np.arange(length + 1) - low) / (high - low) * (stop - start)
    edges = np.clip(edges, start, stop)
    side = place.size_px / cells
    bounds = np.arange(cells + 1) * side
    shared = np.minimum(bounds[1:, None], edges[None, 1:]) - np.maximum(bounds[:-1, None], edges[None, :-1])
    shared = np.clip(shared, 0.0, None)
    inside = shared.sum(axis=1)
    weights = shared / np.maximum(inside, 1e-12)[:, None]
    return weights.astype(np.float32), inside / side


def _mostly(inside: np.ndarray) -> np.ndarray:
    # Slightly below a half, because an edge at exactly half a cell is a sum of rounded numbers.
    found: np.ndarray = inside >= 0.5 * min(1.0, float(inside.max())) - 1e-9
    return found & (inside > 0)


def _marked(stored: Stored, source: MaskSource) -> np.ndarray:
    kind, _, numbers = source.polarity.partition(":")
    if kind == "alpha":
        return _transparent(stored, source)
    if kind == "segment":
        return _segments(stored, [int(number) for number in numbers.split("+")], source)
    if kind == "label":
        levels = _grey(stored, source)
        return np.asarray(levels == int(numbers))
    if stored.opacity is not None and stored.opacity.min() < 255:
        clear = float((stored.opacity < 128).mean())
        raise _about(
            source,
            f"it is declared {kind!r}, but {100 * clear:.1f} % of it is transparent; declare 'alpha' if the "
            "transparent part is meant, or save it without transparency",
        )
    bright = _bright(stored, source)
    return bright if kind == "foreground" else ~bright


def _transparent(stored: Stored, source: MaskSource) -> np.ndarray:
    if stored.opacity is None:
        raise _about(
            source,
            f"it is declared 'alpha', but its pixels ({stored.mode}) have no transparency; declare 'foreground' if "
            "what is not black is meant",
        )
    return np.asarray(stored.opacity < 128)


def _segments(stored: Stored, ids: list[int], source: MaskSource) -> np.ndarray:
    if stored.numbers.ndim != 3:
        raise _about(source, f"expected a panoptic PNG in colour (id = R + 256 G + 65536 B), got mode {stored.mode}")
    weights = np.array([1, 256, 65536])
    return np.isin((stored.numbers.astype(np.int64) * weights).sum(axis=2), ids)


def _grey(stored: Stored, source: MaskSource) -> np.ndarray:
    """Give one number per pixel; colours must be greys."""
    numbers = stored.numbers
    if numbers.ndim == 2:
        return numbers
    if not (numbers == numbers[:, :, :1]).all():
        raise _about(source, "it is in colours, and label maps have one number per pixel; save it as grey or palette")
    return numbers[:, :, 0]


def _bright(stored: Stored, source: MaskSource) -> np.ndarray:
    """Give the pixels that are not black, by the rules of `load_mask`, or refuse."""
    numbers = stored.numbers
    if stored.colours is not None and numbers.ndim == 2:
        shown = stored.colours[numbers].any(axis=2)
        if not np.array_equal(shown, numbers != 0):
            raise _about(
                source,
                "its palette contradicts its numbers: number 0 is not black, or another is; declare 'label:N' with the "
                f"number that is meant (it has {_some(np.unique(numbers))}), or save it as grey",
            )
    if numbers.ndim == 3:
        if not (numbers == numbers[:, :, :1]).all():
            luma = numbers.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
            return _halved(np.rint(luma), 255, source)
        numbers = numbers[:, :, 0]
    bright = np.asarray(numbers != 0)
    least, most = int(numbers.min()), int(numbers.max())
    # Two levels, as nearly all masks have, are recognised without sorting: a fit reads thousands of masks.
    if least >= 0 and (least == most or (least == 0 and bool(np.array_equal(bright, numbers == most)))):
        return bright
    levels = np.unique(numbers)
    if least < 0:
        raise _about(source, f"it has numbers below 0 ({_some(levels)}); expected 0 where nothing is meant")
    top = 65535 if levels[-1] > 255 else 255
    if levels[-1] <= top // 2 or stored.colours is not None:
        raise _about(
            source,
            f"it has the numbers {_some(levels)}, as label maps do; declare 'label:N' with the number that is meant",
        )
    return _halved(numbers, top, source)


def _halved(levels: np.ndarray, top: int, source: MaskSource) -> np.ndarray:
    between = float(((levels > top / 4) & (levels < 3 * top / 4)).mean())
    if between > _MOST_BETWEEN:
        raise _about(
            source,
            f"{100 * between:.0f} % of it is neither dark nor light: a photograph or probabilities, not a mask; "
            "expected black where nothing is meant and white where something is",
        )
    return np.asarray(levels > top / 2)


def _as_stored(array: np.ndarray, source: MaskSource) -> Stored:
    if array.ndim == 2 and (array.dtype == np.bool_ or np.issubdtype(array.dtype, np.integer)) and array.size:
        return Stored("array", array.astype(np.uint8) if array.dtype == np.bool_ else array, None, None)
    if array.ndim == 3 and array.shape[2] == 4 and array.dtype == np.uint8 and array.size:
        return Stored("array", array[:, :, :3], array[:, :, 3], None)
    raise _about(
        source, f"expected an array (H, W) bool or integers, or (H, W, 4) uint8; got {array.shape} {array.dtype}"
    )


def _some(levels: np.ndarray) -> str:
    shown = ", ".join(str(int(level)) for level in levels[:6])
    return shown + (f", ... {int(levels[-1])}" if len(levels) > 6 else "")


def _about(source: MaskSource, problem: str) -> InputError:
    return InputError(f"mask {source.name}: {problem}")
