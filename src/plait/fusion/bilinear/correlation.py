"""The outer product of the sentence with every cell: all products of their entries, in a small space."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plait.core.errors import ConfigError
from plait.core.types import Fused, Tokens
from plait.fusion.base.pairs import PairFusion, rows_of
from plait.nn.pooling import masked_mean

__all__ = ["CorrelationFusion"]


class CorrelationFusion(PairFusion):
    """Multiply every entry of the reduced sentence with every entry of each reduced cell.

    Formula: a = [1; A LayerNorm(mean(w)) + a0], b_p = [1; B LayerNorm(x_p) + b0], each of rank + 1 entries;
        y_p = LayerNorm(W vec(a b_p^T) + c).
    The leading ones keep each side's own entries among the products.

    Arguments:
        width: D of both sides
        rank:  width each side is reduced to; (rank + 1)^2 products a cell are read by W
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) as it came and image (B, P, D) on its grid; no maps
    Raises:
        ConfigError: rank is below 1.
    Source: Zadeh et al. 2017 (tensor fusion), for each cell; the course report on masks from instructions reads the
    outer product of two pooled 768-wide vectors as a picture, which has no place in it. Differs: both sides are
    reduced first, since a full outer product at D = 128 would hold 16,384 numbers a cell.
    """

    def __init__(self, width: int, *, rank: int = 16) -> None:
        super().__init__()
        if rank < 1:
            raise ConfigError(f"fusion 'correlation', rank: expected at least 1, got {rank}")
        self.text_project = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, rank))
        self.image_project = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, rank))
        self.read = nn.Parameter(torch.empty(width, rank + 1, rank + 1))
        self.bias = nn.Parameter(torch.zeros(width))
        nn.init.normal_(self.read, std=1 / (rank + 1))
        self.norm = nn.LayerNorm(width)

    def prepare(self, text: Tokens, image: Tokens) -> tuple[Tokens, Tokens]:
        """Reduce each side; the sentence then holds, as `pooled`, the matrix it is for a cell: (C, (rank + 1) D)."""
        sentence = self.text_project(masked_mean(text.values, text.valid))
        # W vec(a b^T) = (sum_i a_i W_i) b: the sentence's part is done once a text, not once a cell.
        acting = torch.einsum("ci,dij->cjd", F.pad(sentence, (1, 0), value=1.0), self.read).flatten(1)
        cells = F.pad(self.image_project(image.values), (1, 0), value=1.0)
        return replace(text, pooled=acting), replace(image, values=cells)

    def meet(
        self,
        text: Tokens,
        image: Tokens,
        *,
        text_row: Tensor | None = None,
        image_row: Tensor | None = None,
        maps: bool = False,
    ) -> Fused:
        """Multiply each pair's sentence with its cells; see the class."""
        text, image = rows_of(text, text_row), rows_of(image, image_row)
        assert text.pooled is not None  # set by `prepare`
        acting = text.pooled.unflatten(1, (image.values.shape[-1], -1))
        values = self.norm(image.values @ acting + self.bias)
        return Fused(replace(text, pooled=None), replace(image, values=values, pooled=None))
