"""Two-stage ranking: the best candidates of a cheap score, re-ordered by an expensive one.

A cross-attention score cannot be indexed: it needs both sides at once. So candidates come from one-sided vectors, and
only those are scored by the fusion. Every result says which score it was ranked by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from plait.core.errors import ShapeError

__all__ = ["RowOrders", "rerank_rows"]


@dataclass(frozen=True, eq=False)
class RowOrders:
    """Rows after the second stage, (R, C) float each; order within a row is what matters.

    Fields:
        scores: candidates by the sum of both scores; this is the answer
        alone:  the same candidates by the second score alone
        random: the same candidates, all equal: the recall of a random order of them
    """

    scores: Tensor
    alone: Tensor
    random: Tensor


def rerank_rows(first: Tensor, k: int, score_pairs: Callable[[Tensor, Tensor], Tensor]) -> RowOrders:
    """Re-rank each row's k best columns by first score + second score; leave the rest behind them.

    Formula: for the k columns with the highest f[r, c]: s[r, c] = f[r, c] + g(r, c); every other column keeps its order
        under f, moved below the lowest re-ranked one.

    With f the towers' log-odds and g the fused head's logit, trained on negatives that were drawn in proportion to
    exp(f), the sum is the log-odds of a match up to a constant of the row: the head learns the density ratio that f
    has not explained yet.

    Shapes:
        first:       (R, C) float, finite
        score_pairs: takes rows (M,) and columns (M,) int64, gives (M,) float
        returns:     all three orders; what was no candidate comes last, in its order under f
    Raises:
        ShapeError: `first` is not a matrix, or k < 1.
    Source: ALBEF (Li et al. 2021) and BLIP (Li et al. 2022) re-rank the contrastive stage's top k and add both scores;
        we scale the towers' cosine by the learned temperature first, so that both terms are log-odds.
    """
    if first.ndim != 2 or k < 1:
        raise ShapeError(f"expected a matrix of first-stage scores and k >= 1, got shape {tuple(first.shape)}, k = {k}")
    rows, columns = first.shape
    k = min(k, columns)
    top = first.topk(k, dim=1)
    row_index = torch.arange(rows, device=first.device).repeat_interleave(k)
    second = score_pairs(row_index, top.indices.reshape(-1)).view(rows, k)
    behind = _Behind(first, top.indices)
    return RowOrders(behind(top.values + second), behind(second), behind(torch.zeros_like(second)))


class _Behind:
    """Puts candidates' new scores in their places; everything else keeps its order and moves below the lowest."""

    def __init__(self, first: Tensor, candidates: Tensor) -> None:
        best_left = first.scatter(1, candidates, float("-inf")).max(dim=1, keepdim=True).values
        best_left = torch.where(best_left.isinf(), first.min(dim=1, keepdim=True).values, best_left)
        self.below_zero = first - best_left - 1.0
        self.candidates = candidates

    def __call__(self, values: Tensor) -> Tensor:
        """Give (R, C) from the candidates' values (R, k)."""
        lowered = self.below_zero + values.min(dim=1, keepdim=True).values
        return lowered.scatter(1, self.candidates, values.to(lowered.dtype))
