"""Which images are the same: by content, byte for byte, and by appearance, with a 64-bit difference hash."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from plait.core.errors import InputError
from plait.data.collection import Photo

__all__ = ["BLANK", "content_hash", "is_plain", "likeness", "near_duplicates", "perceptual_hash", "thumbnail"]

# The hash of an image without structure, which is never a duplicate: see `near_duplicates`.
BLANK = 0
_ROWS, _COLUMNS = 8, 9
_SIDE = 16
# An image whose 72 cell means span fewer grey levels than this is blank: what is left is sensor noise and compression.
_LEAST_CONTRAST = 4.0
_GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601 luma, as Pillow and OpenCV use
_BLOCK_PAIRS = 4_000_000
_BYTE_BITS = np.array([value.bit_count() for value in range(256)], dtype=np.uint8)


def content_hash(source: Path | np.ndarray) -> str:
    """Give the SHA-256 of an image's content: the file's bytes, or the array's shape and bytes; as `Photo.digest`.

    Shapes:
        source: path of a file, or (H, W, 3) uint8
    Raises:
        InputError: the file cannot be read.
    """
    return Photo("", source).digest


def perceptual_hash(rgb: np.ndarray) -> int:
    """Give an image's 64-bit difference hash: images that look alike differ in few bits.

    Formula: grey = 0.299 R + 0.587 G + 0.114 B; its means over a grid of 8 rows and 9 columns of equal areas; bit
    8 r + c (from the highest down) is 1 where cell (r, c + 1) is brighter than cell (r, c). Size, light compression,
    brightness and contrast change few bits; mirroring, cropping and rotation change many, so those are not found.

    Shapes:
        rgb:     (H, W, 3) uint8; any size, also smaller than the grid
        returns: in [0, 2^64)
    Undefined when: the cell means span less than 4 grey levels: nothing but noise would be hashed. Such an image gets
        `BLANK`, and so does one that nowhere grows brighter from left to right.
    Raises:
        InputError: `rgb` is not (H, W, 3) uint8.
    Source: N. Krawetz, "Kind of Like That", The Hacker Factor Blog, 21 January 2013 (dHash). Differs: exact means over
        equal areas in place of a library's resizing filter, so the bits are the same with every version of every
        library; blank images are marked.
    Example:
        >>> perceptual_hash(np.full((40, 60, 3), 128, dtype=np.uint8)) == BLANK
        True
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or 0 in rgb.shape:
        raise InputError(f"perceptual hash: expected a (H, W, 3) uint8 array, got {rgb.shape} {rgb.dtype}")
    down, across = _area_means(rgb.shape[0], _ROWS), _area_means(rgb.shape[1], _COLUMNS)
    # Rows first: an eighth of the work remains for colours and columns, and no grey copy of the image is made.
    rows = down @ rgb.reshape(rgb.shape[0], -1).astype(np.float32)
    cells = (rows.reshape(_ROWS, rgb.shape[1], 3) @ _GREY) @ across.T
    if cells.max() - cells.min() < _LEAST_CONTRAST:
        return BLANK
    # A step of less than a hundredth of a level is rounding: in flat parts the order of summation must not decide.
    rises = cells[:, 1:] > cells[:, :-1] + 0.01
    return int.from_bytes(np.packbits(rises).tobytes(), "big")


def is_plain(value: int, *, max_bits: int = 4) -> bool:
    """Tell whether a hash has too few bits to compare: within `max_bits` bits of all zeros or of all ones.

    Blank images, plain gradients and dark or light pages with a spot have such hashes.
    """
    bits = value.bit_count()
    return bits <= max_bits or bits >= 64 - max_bits


def near_duplicates(hashes: Sequence[int], *, max_bits: int = 4, plain_bits: int = 4) -> list[tuple[int, int]]:
    """Give all pairs (i, j), i < j, whose hashes differ in at most `max_bits` of 64 bits, in order.

    Plain hashes (`is_plain` with `plain_bits`) are in no pair: all blank images would be duplicates of each other. List
    them with `is_plain` where needed; `content_hash` tells whether two blank files are the same.

    Among 10,934 images of four public sets, pairs within 4 bits were copies or the next shot of the same scene; from 5
    to 12 bits on nearly all pairs were different images, and `likeness` finds the few that were not.

    Cost: every pair once, in blocks of numpy: under a second for 10,000 images, a minute for 100,000.
    Raises:
        InputError: a hash that does not fit 64 bits, or `max_bits` outside [0, 32].
    Example:
        >>> near_duplicates([0x0F0F0F0F0F0F0F0F, 0x0F0F0F0F0F0F0F0E, 0xF0F0F0F0F0F0F0F0])
        [(0, 1)]
    """
    if not 0 <= max_bits <= 32:
        raise InputError(f"near duplicates, max_bits: expected 0 to 32 of 64 bits, got {max_bits}")
    if any(not 0 <= value < 2**64 for value in hashes):
        raise InputError("near duplicates: expected hashes of 64 bits, from `perceptual_hash`")
    kept = np.array([i for i, value in enumerate(hashes) if not is_plain(value, max_bits=plain_bits)], dtype=np.int64)
    values = np.array([hashes[i] for i in kept], dtype=np.uint64)
    pairs: list[tuple[int, int]] = []
    step = max(1, _BLOCK_PAIRS // max(1, len(values)))
    for start in range(0, len(values), step):
        block = values[start : start + step]
        row, column = np.nonzero(_bits(block[:, None] ^ values[None, start:]) <= max_bits)
        later = column > row  # column counts from `start` too
        pairs += zip(kept[start + row[later]].tolist(), kept[start + column[later]].tolist(), strict=True)
    return sorted(pairs)


def thumbnail(rgb: np.ndarray) -> np.ndarray:
    """Give an image's means over 16 x 16 equal areas, for `likeness`: (H, W, 3) uint8 -> (16, 16, 3) uint8."""
    down, across = _area_means(rgb.shape[0], _SIDE), _area_means(rgb.shape[1], _SIDE)
    rows = (down @ rgb.reshape(rgb.shape[0], -1).astype(np.float32)).reshape(_SIDE, rgb.shape[1], 3)
    means: np.ndarray = np.clip(np.rint(np.matmul(across, rows)), 0, 255).astype(np.uint8)
    return means


def likeness(thumbnails: np.ndarray, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """Give the correlation of the thumbnails of each pair: a second test of what `near_duplicates` proposes.

    Colours count: two skiers on white snow have grey thumbnails that correlate at 0.90 and coloured ones at 0.78.

    Shapes:
        thumbnails: (N, 16, 16, 3) uint8
        pairs:      numbers of two images each
        returns:    (len(pairs),) float32 in [-1, 1]; 0 where a thumbnail has one level throughout
    """
    flat = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    found = np.empty(len(pairs), dtype=np.float32)
    for start in range(0, len(pairs), 10_000):
        part = np.array(pairs[start : start + 10_000])
        found[start : start + len(part)] = np.einsum("nk,nk->n", flat[part[:, 0]], flat[part[:, 1]])
    return found


def _area_means(length: int, cells: int) -> np.ndarray:
    """Give the (cells, length) float32 matrix of means over equal parts; pixels on an edge count for both, by share."""
    edges = np.arange(cells + 1) * (length / cells)
    pixel = np.arange(length)
    shared = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return (np.clip(shared, 0.0, None) * (cells / length)).astype(np.float32)


def _bits(values: np.ndarray) -> np.ndarray:
    """Count the set bits of uint64 values."""
    count_bits = getattr(np, "bitwise_count", None)  # NumPy 2
    if count_bits is not None:
        counted: np.ndarray = count_bits(values)
        return counted
    return _BYTE_BITS[np.ascontiguousarray(values).view(np.uint8).reshape(*values.shape, 8)].sum(axis=-1)
