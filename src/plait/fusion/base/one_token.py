"""One vector per side as tokens: for pooled fusions and heads that read tokens."""

from __future__ import annotations

from torch import Tensor

from plait.core.types import Tokens

__all__ = ["one_token"]


def one_token(vector: Tensor) -> Tokens:
    """Give (B, D) vectors as one real token per row, (B, 1, D)."""
    return Tokens(vector[:, None], vector.new_ones((len(vector), 1)).bool())
