"""Captions of many files: read in little memory, and a reason for each that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from plait.core.errors import InputError
from plait.core.types import ImageSpec
from plait.data.images import read_pixels
from plait.tasks.caption.result import CaptionRow

__all__ = ["caption_rows", "in_parts"]

# Threads that decode photos, photos that are encoded at once, and photos that are written about at once.
READERS, ENCODED_AT_ONCE, WRITTEN_AT_ONCE = 4, 16, 128

Write = Callable[[Tensor], Sequence[tuple[str, float]]]


def caption_rows(
    paths: Sequence[str | Path],
    spec: ImageSpec,
    write: Write,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> list[CaptionRow]:
    """Write a caption for each file, and say of those that cannot be read why.

    Arguments:
        spec:  how the model reads images
        write: pixels (N, 3, S, S) float -> N captions with their log-probabilities
    Shapes: returns one row per path, in the order given.
    """
    rows: list[CaptionRow] = []
    for start in range(0, len(paths), WRITTEN_AT_ONCE):
        chunk = [Path(path) for path in paths[start : start + WRITTEN_AT_ONCE]]
        with ThreadPoolExecutor(min(READERS, len(chunk))) as pool:
            read = list(pool.map(lambda path: _read(path, spec), chunk))
        pixels = [one for one in read if isinstance(one, Tensor)]
        written = iter(write(torch.stack(pixels)) if pixels else ())
        for path, one in zip(chunk, read, strict=True):
            rows.append(CaptionRow(str(path), reason=one) if isinstance(one, str) else _row(path, *next(written)))
        if progress is not None:
            progress(len(rows), len(paths))
    return rows


def in_parts(pixels: Tensor, device: torch.device) -> Iterator[Tensor]:
    """Give pixels (N, 3, S, S) in parts of a size that encoders are quick with, on a device."""
    for part in pixels.split(ENCODED_AT_ONCE):
        yield part.to(device)


def _read(path: Path, spec: ImageSpec) -> Tensor | str:
    """Give a photo as the encoder reads it, (3, S, S), which takes little memory; or why it cannot be read."""
    try:
        return read_pixels(path, spec)
    except InputError as error:
        return str(error)


def _row(path: Path, caption: str, log_prob: float) -> CaptionRow:
    return CaptionRow(str(path), caption, log_prob)
