"""Rows of tokens: copy out those that take part, or keep each that several pairs share once."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from plait.core.types import Tokens

__all__ = ["rows_of", "shared_rows", "used_columns"]


def rows_of(tokens: Tokens, row: Tensor | None) -> Tokens:
    """Copy out the rows that take part, without columns that are padding in all of them; all rows if none are named.

    Shapes: Tokens (R, N, D), row (M,) int64 -> Tokens (M, N' <= N, D).
    """
    if row is None:
        return tokens
    used = used_columns(tokens.valid[row], tokens.grid)
    if used < tokens.valid.shape[1]:
        boxes = None if tokens.boxes is None else tokens.boxes[:, :used]
        tokens = replace(tokens, values=tokens.values[:, :used], valid=tokens.valid[:, :used], boxes=boxes)
    return tokens.take(row)


def shared_rows(tokens: Tokens, row: Tensor) -> tuple[Tokens, Tensor]:
    """Keep only the rows that some pair names, each once, and renumber.

    Shapes: Tokens (R, N, D), row (M,) int64 -> Tokens (R' <= R, N' <= N, D) and (M,) int64 in [0, R').
    """
    used, renumbered = row.unique(return_inverse=True)
    return rows_of(tokens, None if len(used) == len(tokens) else used), renumbered


def used_columns(valid: Tensor, grid: tuple[int, int] | None) -> int:
    """Give how many columns to keep: up to the last that is real in some row, at least 1; all where they are a grid.

    Shapes: valid (R, N) bool, True = real.
    """
    if grid is not None:
        return valid.shape[1]
    real = valid.any(0).nonzero()
    return int(real.max()) + 1 if len(real) else 1
