"""What all matching objectives share: the check of their inputs, and which pairs are negatives."""

from __future__ import annotations

import torch
from torch import Tensor

from plait.core.errors import ShapeError

__all__ = ["checked_scores", "ignored_pairs", "negative_pairs", "widened"]


def widened(values: Tensor) -> Tensor:
    """Give half-precision values as float32, others as they are: losses are sums of many small terms.

    Shapes:
        values:  (...) float
        returns: (...) float32, or float64 where `values` is
    """
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values


def checked_scores(scores: Tensor, group: Tensor) -> Tensor:
    """Check a score matrix with its groups and give it in at least float32.

    Shapes:
        scores:  (N, N) float, row = image, column = text
        group:   (N,) int64
        returns: (N, N) float32, or float64 where `scores` is
    Raises:
        ShapeError: `scores` is not square, or `group` does not have one number per row.
    """
    if scores.ndim != 2 or scores.shape[0] != scores.shape[1] or scores.shape[0] == 0:
        raise ShapeError(
            f"scores: expected (N, N), one row per image and one column per text of the same N pairs, "
            f"got {tuple(scores.shape)}; score every image of the batch with every text of the batch"
        )
    if group.shape != scores.shape[:1]:
        raise ShapeError(
            f"group: expected ({scores.shape[0]},), the image number of each pair, got {tuple(group.shape)}; "
            f"give `Batch.target`"
        )
    return widened(scores)


def negative_pairs(group: Tensor) -> Tensor:
    """Say which (image, text) entries are negatives: those of another image.

    Shapes:
        group:   (N,) int64; rows with equal numbers have the same image
        returns: (N, N) bool, symmetric, False on the diagonal
    """
    return group[:, None] != group[None, :]


def ignored_pairs(group: Tensor) -> Tensor:
    """Say which entries are neither the given pair nor a negative: another caption of the same image.

    Shapes:
        group:   (N,) int64
        returns: (N, N) bool, symmetric, False on the diagonal
    """
    same = ~negative_pairs(group)
    return same & ~torch.eye(len(group), dtype=torch.bool, device=group.device)
