"""Images without some of their cells: what a model is asked about to see what it needs."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from plait.core.errors import ShapeError
from plait.core.types import Level, Tokens

__all__ = ["keep_cells"]


def keep_cells(image: Tokens, keep: Tensor) -> Tokens:
    """Give one image once per row of `keep`, with the mean of its cells in place of those not kept.

    The mean is an input of the usual size that says nothing of places; zeros would be one that no training saw. Finer
    levels lose the same regions. The encoder's own summary of the whole image is left out, since it has seen all cells.

    Shapes: image Tokens (1, P, D) on a grid; keep (B, P) bool; returns Tokens (B, P, D).
    Raises:
        ShapeError: the sides do not fit.
    """
    if len(image) != 1 or image.grid is None or keep.ndim != 2 or keep.shape[1] != image.values.shape[1]:
        raise ShapeError(
            f"expected one image on a grid and (B, P) cells to keep, got {tuple(image.values.shape)}, grid "
            f"{image.grid} and {tuple(keep.shape)}"
        )
    keep = keep.to(image.values.device)
    levels = []
    for level in image.levels:
        cells = keep.float().unflatten(1, image.grid)[:, None]
        finer = F.interpolate(cells, size=level.grid, mode="nearest").flatten(1) > 0.5
        levels.append(Level(_kept(level.values, finer), level.grid))
    return replace(
        image,
        values=_kept(image.values, keep),
        valid=image.valid.expand(len(keep), -1),
        pooled=None,
        levels=tuple(levels),
    )


def _kept(values: Tensor, keep: Tensor) -> Tensor:
    """Give (1, N, D) values as (B, N, D), the mean of all in place of those not kept."""
    return torch.where(keep[..., None], values, values.mean(1, keepdim=True))
