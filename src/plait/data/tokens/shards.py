"""One file of cached tokens: written completely or not at all, with a checksum, read through a memory map."""

from __future__ import annotations

import json
import mmap
import struct
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from plait.core.errors import InputError, ShapeError
from plait.core.files import replace_file
from plait.core.types import Tokens

__all__ = ["Shard", "open_shard", "shard_is_intact", "write_shard"]

_FORMAT = "plait-tokens-1"
_NUMPY = {"F16": np.int16, "BF16": np.int16, "F32": np.float32, "I64": np.int64, "I32": np.int32}
_FLOAT16_MAX = 65504.0


@dataclass(frozen=True)
class Shard:
    """The tokens of some items of a store; arrays are views of a read-only memory map.

    Fields:
        items:    (n,) int64, which items these are
        lengths:  (n,) int32, tokens of each
        starts:   (n + 1,) int64, where each item's tokens begin in `values`
        values:   (tokens, D) the bits of float16 or bfloat16 as int16; padding is not stored
        pooled:   (n, D') likewise, or None
        boxes:    (tokens, 4) float32 or None
        grid:     (h, w) or None
        levels:   (n, h * w, D'') bits as `values`, one array per finer grid, coarse to fine
        level_grids: (h, w) of each
        bfloat16: names of the arrays whose bits are bfloat16, because float16 ends at 65,504
        map:      the memory map
    """

    items: np.ndarray
    lengths: np.ndarray
    starts: np.ndarray
    values: np.ndarray
    pooled: np.ndarray | None
    boxes: np.ndarray | None
    grid: tuple[int, int] | None
    bfloat16: frozenset[str]
    map: mmap.mmap
    levels: tuple[np.ndarray, ...] = ()
    level_grids: tuple[tuple[int, int], ...] = ()

    def release(self) -> None:
        """Let the system free the pages read so far; they stay in its cache and are read again when needed."""
        if sys.platform == "linux":
            self.map.madvise(mmap.MADV_DONTNEED)


def write_shard(path: Path, tokens: Tokens, items: Sequence[int]) -> int:
    """Write the tokens of these items as safetensors, in one step; give the number of bytes.

    Each of values, levels and `pooled` is stored as float16, or as bfloat16 when one is beyond float16's range.

    Raises:
        ShapeError: the tokens are not those of these items, a grid has tokens that are not valid, or a level does
            not have one row of its grid per item.
        InputError: a value is not finite; the message names the item.
        OSError: from the file system; no part of the file is left behind.
    """
    if len(tokens) != len(items):
        raise ShapeError(f"encoding {len(items)} items gave tokens of {len(tokens)}; expected one row per item")
    values, valid = tokens.values.detach().cpu(), tokens.valid.detach().cpu()
    if tokens.grid is not None and not (valid.all() and tokens.grid[0] * tokens.grid[1] == values.shape[1]):
        raise ShapeError(f"tokens on a {tokens.grid} grid: expected h * w valid tokens each, got {values.shape[1]}")
    _refuse_not_finite(torch.where(valid[:, :, None], values, 0), items)
    tensors = {
        "items": torch.tensor(list(items), dtype=torch.int64),
        "lengths": valid.sum(1).to(torch.int32),
        "values": _to_half(values[valid]),
    }
    if tokens.pooled is not None:
        _refuse_not_finite(tokens.pooled, items)
        tensors["pooled"] = _to_half(tokens.pooled.detach().cpu())
    if tokens.boxes is not None:
        tensors["boxes"] = tokens.boxes.detach().cpu()[valid].to(torch.float32)
    for number, level in enumerate(tokens.levels):
        if level.values.shape[:2] != (len(items), level.grid[0] * level.grid[1]):
            raise ShapeError(
                f"level {number} on a {level.grid} grid: expected ({len(items)}, h * w, D) values, got "
                f"{tuple(level.values.shape)}"
            )
        _refuse_not_finite(level.values, items)
        tensors[f"level{number}"] = _to_half(level.values.detach().cpu())
    grid = "" if tokens.grid is None else f"{tokens.grid[0]} {tokens.grid[1]}"
    bits = {name: (t.view(torch.int16) if t.element_size() == 2 else t).numpy() for name, t in tensors.items()}
    metadata = {"format": _FORMAT, "grid": grid, "crc32": str(_checksum(bits))}
    if tokens.levels:  # absent without levels: shards that are older than levels are read the same way
        metadata["levels"] = ";".join(f"{level.grid[0]} {level.grid[1]}" for level in tokens.levels)
    data = save({name: tensor.contiguous() for name, tensor in tensors.items()}, metadata)
    replace_file(path, data)
    return len(data)


def open_shard(path: Path) -> Shard | None:
    """Map a shard, or give None when it is missing, cut short or not a shard. Its checksum is not checked."""
    try:
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        return None
    found = _arrays(mapped)
    if found is None:
        return None
    arrays, metadata, bfloat16 = found
    lengths = arrays["lengths"]
    starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    if len(arrays["items"]) != len(lengths) or starts[-1] != len(arrays["values"]):
        return None
    grid = metadata.get("grid", "").split()
    finer = [pair.split() for pair in metadata.get("levels", "").split(";") if pair]
    levels = [arrays.get(f"level{number}") for number in range(len(finer))]
    if any(level is None or len(level) != len(lengths) for level in levels):
        return None
    return Shard(
        items=arrays["items"],
        lengths=lengths,
        starts=starts,
        values=arrays["values"],
        pooled=arrays.get("pooled"),
        boxes=arrays.get("boxes"),
        grid=(int(grid[0]), int(grid[1])) if grid else None,
        bfloat16=bfloat16,
        map=mapped,
        levels=tuple(level for level in levels if level is not None),
        level_grids=tuple((int(height), int(width)) for height, width in finer),
    )


def shard_is_intact(path: Path, items: Sequence[int]) -> bool:
    """Tell whether a shard holds exactly these items and its content still has the checksum it was written with."""
    shard = open_shard(path)
    if shard is None or not np.array_equal(shard.items, np.asarray(items, dtype=np.int64)):
        return False
    found = _arrays(shard.map)
    return found is not None and found[1].get("crc32") == str(_checksum(found[0]))


def _arrays(mapped: mmap.mmap) -> tuple[dict[str, np.ndarray], dict[str, str], frozenset[str]] | None:
    """Read a safetensors header and give views of its arrays, its metadata, and the names that are bfloat16."""
    try:
        (size,) = struct.unpack_from("<Q", mapped, 0)
        if size > len(mapped) - 8:
            return None
        header: dict[str, Any] = json.loads(mapped[8 : 8 + size])
        metadata = header.pop("__metadata__")
        if metadata["format"] != _FORMAT:
            return None
        arrays, end = {}, 0
        for name, entry in header.items():
            kind, shape, (first, last) = np.dtype(_NUMPY[entry["dtype"]]), entry["shape"], entry["data_offsets"]
            count = int(np.prod(shape, dtype=np.int64))
            if last - first != count * kind.itemsize:
                return None
            arrays[name] = np.frombuffer(mapped, kind, count, 8 + size + first).reshape(shape)
            end = max(end, last)
        if 8 + size + end != len(mapped) or not {"items", "lengths", "values"} <= arrays.keys():
            return None
    except (struct.error, ValueError, KeyError, TypeError, AttributeError):
        return None
    return arrays, metadata, frozenset(name for name, entry in header.items() if entry["dtype"] == "BF16")


def _checksum(arrays: dict[str, np.ndarray]) -> int:
    total = 0
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total = zlib.crc32(array.reshape(-1).view(np.uint8).data, zlib.crc32(f"{name} {array.shape}".encode(), total))
    return total


def _refuse_not_finite(values: Tensor, items: Sequence[int]) -> None:
    finite = values.detach().cpu().isfinite().flatten(1).all(1)
    if not finite.all():
        bad = items[int((~finite).nonzero()[0, 0])]
        raise InputError(
            f"the encoder gave a value that is not finite for item number {bad}; "
            "its weights or its precision are the cause: try precision 'fp32'"
        )


def _to_half(values: Tensor) -> Tensor:
    small = values.numel() == 0 or float(values.abs().max()) <= _FLOAT16_MAX
    return values.to(torch.float16 if small else torch.bfloat16)
