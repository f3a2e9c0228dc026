"""Reading cached tokens: any rows of a store, in any order, within bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from plait.core.errors import ShapeError
from plait.core.types import Level, Tokens
from plait.data.tokens.shards import Shard

__all__ = ["TokenStore"]

# After this many bytes were read through the maps, their pages are freed, so that resident memory is bounded.
_RELEASE_BYTES = 256 * 2**20


class TokenStore:
    """Cached tokens of `len(store)` items.

    Arguments:
        path:   the store's folder
        shards: its shards; together they hold every item once
    """

    def __init__(self, path: Path, shards: Sequence[Shard]) -> None:
        self.path = path
        self._shards = list(shards)
        count = sum(len(shard.items) for shard in shards)
        self._shard_of = np.empty(count, dtype=np.int64)
        self._row_of = np.empty(count, dtype=np.int64)
        self._lengths = np.empty(count, dtype=np.int64)
        for number, shard in enumerate(shards):
            self._shard_of[shard.items] = number
            self._row_of[shard.items] = np.arange(len(shard.items))
            self._lengths[shard.items] = shard.lengths
        self._read_bytes = 0

    def __len__(self) -> int:
        return len(self._lengths)

    @property
    def width(self) -> int:
        """Give D of the tokens."""
        return int(self._shards[0].values.shape[1])

    @property
    def pooled_width(self) -> int | None:
        """Give D' of `Tokens.pooled`, or None where there is none."""
        pooled = self._shards[0].pooled
        return None if pooled is None else int(pooled.shape[1])

    @property
    def grid(self) -> tuple[int, int] | None:
        """Give the grid the tokens lie on, or None."""
        return self._shards[0].grid

    @property
    def levels(self) -> tuple[tuple[tuple[int, int], int], ...]:
        """Give ((h, w), D) of each finer grid, coarse to fine."""
        first = self._shards[0]
        return tuple((grid, int(values.shape[2])) for grid, values in zip(first.level_grids, first.levels, strict=True))

    @property
    def lengths(self) -> Tensor:
        """Give how many tokens each item has: (items,) int64."""
        return torch.from_numpy(self._lengths.copy())

    def subset(self, rows: Sequence[int]) -> TokenStore:
        """Give a store of these items only, item i being rows[i] of this one; nothing is copied on disk."""
        part = copy(self)
        index = np.asarray(rows, dtype=np.int64)
        part._shard_of, part._row_of, part._lengths = self._shard_of[index], self._row_of[index], self._lengths[index]
        return part

    def take(self, index: Tensor) -> Tokens:
        """Give the tokens of these items, in this order, padded with 0 to the longest of them.

        Shapes:
            index:   (M,) int64 in [0, items); repeats are allowed
            returns: values (M, N, D) float32, valid (M, N) bool, pooled (M, D') float32 or None, levels float32
        Raises:
            ShapeError: `index` is not one-dimensional, is empty, or leaves the range.
        """
        rows = index.cpu().numpy()
        if rows.ndim != 1 or not len(rows) or rows.min() < 0 or rows.max() >= len(self):
            raise ShapeError(f"expected a (M,) index of items in [0, {len(self)}), M > 0; got {index}")
        lengths = self._lengths[rows]
        longest = max(1, int(lengths.max()))
        places = list(zip(self._shard_of[rows].tolist(), self._row_of[rows].tolist(), lengths.tolist(), strict=True))
        valid = torch.from_numpy(np.arange(longest) < lengths[:, None])
        tokens = Tokens(
            values=self._gather_tokens("values", places, longest, bool((lengths == longest).all())),
            valid=valid,
            grid=self.grid,
            boxes=None if self._shards[0].boxes is None else self._gather_tokens("boxes", places, longest, False),
            pooled=None if self._shards[0].pooled is None else self._gather_pooled(places),
            levels=tuple(
                Level(self._gather_level(number, places), grid) for number, (grid, _) in enumerate(self.levels)
            ),
        )
        finer = sum(grid[0] * grid[1] * width for grid, width in self.levels)
        self._read_bytes += (int(lengths.sum()) * self.width + len(rows) * finer) * 2
        if self._read_bytes > _RELEASE_BYTES:
            self._read_bytes = 0
            for shard in self._shards:
                shard.release()
        return tokens

    def _gather_tokens(self, name: str, places: list[tuple[int, int, int]], longest: int, full: bool) -> Tensor:
        arrays = [getattr(shard, name) for shard in self._shards]
        shape = (len(places), longest, arrays[0].shape[1])
        out = (np.empty if full else np.zeros)(shape, dtype=arrays[0].dtype)
        for position, (number, row, length) in enumerate(places):
            start = self._shards[number].starts[row]
            out[position, :length] = arrays[number][start : start + length]
        return self._to_float(name, out, places)

    def _gather_pooled(self, places: list[tuple[int, int, int]]) -> Tensor:
        arrays = [shard.pooled for shard in self._shards]
        out = np.stack([arrays[number][row] for number, row, _ in places])  # type: ignore[index]
        return self._to_float("pooled", out, places)

    def _gather_level(self, level: int, places: list[tuple[int, int, int]]) -> Tensor:
        arrays = [shard.levels[level] for shard in self._shards]
        out = np.empty((len(places), *arrays[0].shape[1:]), dtype=arrays[0].dtype)
        for position, (number, row, _) in enumerate(places):
            out[position] = arrays[number][row]
        return self._to_float(f"level{level}", out, places)

    def _to_float(self, name: str, out: np.ndarray, places: list[tuple[int, int, int]]) -> Tensor:
        bits = torch.from_numpy(out)
        if bits.dtype != torch.int16:
            return bits
        # Torch converts, because it uses the processor's instruction for it; numpy converts number by number.
        values = bits.view(torch.float16).float()
        wide = [i for i, (number, _, _) in enumerate(places) if name in self._shards[number].bfloat16]
        if wide:
            values[wide] = bits[wide].view(torch.bfloat16).float()
        return values
