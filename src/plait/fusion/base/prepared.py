"""One side of many pairs after its one-sided work: the mechanism's own tensors, and which row each pair takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Generic, Self, TypeVar

import torch
from torch import Tensor

from plait.core.types import Level, Tokens
from plait.fusion.base.rows import used_columns

__all__ = ["Parts", "Prepared", "Values", "prepared"]


@dataclass(frozen=True)
class Parts:
    """What a mechanism computes of one side alone: a frozen dataclass of named tensors, of which this is the base.

    Each tensor has one row per row of the side, then one column per token, or a single column where one value serves
    all tokens: (R, N, ...) or (R, 1, ...). Taking rows and leaving out padding then needs no further description.
    """

    def each(self, change: Callable[[Tensor], Tensor]) -> Self:
        """Give the same with every tensor changed."""
        return replace(self, **{field.name: change(getattr(self, field.name)) for field in fields(self)})


@dataclass(frozen=True)
class Values(Parts):
    """Token vectors and nothing else.

    Fields:
        values: (R, N, D) float
    """

    values: Tensor


PartsT = TypeVar("PartsT", bound=Parts)
PartsT_co = TypeVar("PartsT_co", bound=Parts, covariant=True)


@dataclass(frozen=True)
class Prepared(Generic[PartsT_co]):
    """One side, prepared: R rows, of which each of M pairs takes one.

    Fields:
        parts:  the mechanism's own tensors
        valid:  (R, N) bool, True = real token
        grid, boxes, levels: of the side's tokens; see `plait.core.types.Tokens`
        row:    (M,) int64 in [0, R): the row of each pair; None where pair m takes row m
    """

    parts: PartsT_co
    valid: Tensor
    grid: tuple[int, int] | None = None
    boxes: Tensor | None = None
    levels: tuple[Level, ...] = ()
    row: Tensor | None = None

    def tokens(self, values: Tensor) -> Tokens:
        """Give the side's tokens with these values, (R, N, D); mask, grid, boxes and levels are the side's."""
        return Tokens(values, self.valid, self.grid, self.boxes, levels=self.levels)

    def with_rows(self, row: Tensor) -> Self:
        """Name the row of each pair, (M,) int64. Copies nothing."""
        return replace(self, row=row)

    def aligned(self) -> Self:
        """Copy out one row per pair, without columns that are padding in all of them."""
        return self if self.row is None else replace(self._taken(self.row), row=None)

    def shared(self) -> Self:
        """Keep only the rows that some pair takes, each once, without columns that are padding in all of them."""
        if self.row is None:
            return self
        used, renumbered = self.row.unique(return_inverse=True)
        kept = self if len(used) == len(self.valid) else self._taken(used)
        return replace(kept, row=renumbered)

    def to(self, device: torch.device) -> Self:
        """Give the same on another device."""
        return replace(
            self,
            parts=self.parts.each(lambda part: part.to(device)),
            valid=self.valid.to(device),
            boxes=None if self.boxes is None else self.boxes.to(device),
            levels=tuple(level.to(device) for level in self.levels),
            row=None if self.row is None else self.row.to(device),
        )

    def _taken(self, row: Tensor) -> Self:
        valid = self.valid[row]
        used = used_columns(valid, self.grid)
        return replace(
            self,
            parts=self.parts.each(lambda part: part[:, :used][row]),
            valid=valid[:, :used],
            boxes=None if self.boxes is None else self.boxes[:, :used][row],
            levels=tuple(replace(level, values=level.values[row]) for level in self.levels),
        )


def prepared(tokens: Tokens, parts: PartsT) -> Prepared[PartsT]:
    """Describe tokens (R, N, D) by what a mechanism made of them; their values and summaries are left out."""
    return Prepared(parts, tokens.valid, tokens.grid, tokens.boxes, tokens.levels)
