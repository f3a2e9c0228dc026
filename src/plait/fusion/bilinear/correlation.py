"""The outer product of the sentence with every cell: all products of their entries, in a small space."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plait.core.errors import ConfigError
from plait.core.types import Fused, Tokens
from plait.fusion.base.pairs import PairFusion
from plait.fusion.base.prepared import Parts, Prepared, Values, prepared
from plait.nn.pooling import masked_mean

__all__ = ["CorrelationFusion", "CorrelationText"]


@dataclass(frozen=True)
class CorrelationText(Parts):
    """What the sentence is to every cell.

    Fields:
        values: (C, T, D) float, the words as they came
        matrix: (C, 1, rank + 1, D) float, sum_i a_i W_i of the formula
    """

    values: Tensor
    matrix: Tensor


class CorrelationFusion(PairFusion[CorrelationText, Values]):
    """Multiply every entry of the reduced sentence with every entry of each reduced cell.

    Formula: a = [1; A LayerNorm(mean(w)) + a0], b_p = [1; B LayerNorm(x_p) + b0], each of rank + 1 entries;
        y_p = LayerNorm(W vec(a b_p^T) + c).
    The leading ones keep each side's own entries among the products.

    Arguments:
        width: D of both sides
        rank:  width each side is reduced to; (rank + 1)^2 products per cell enter W
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) as it came and image (B, P, D) on its grid; no maps
    Raises:
        ConfigError: rank is below 1.
    Source: Zadeh et al. 2017 (tensor fusion), for each cell; Anumula et al. (masks from instructions) treat the outer
    product of two pooled 768-wide vectors as an image, which has no place in it. Differs: both sides are reduced
    first, since a full outer product at D = 128 would hold 16,384 numbers per cell.
    """

    gives_maps = False
    tested_options = ({"rank": 3},)

    def __init__(self, width: int, *, rank: int = 16) -> None:
        super().__init__()
        if rank < 1:
            raise ConfigError(f"fusion 'correlation', rank: expected at least 1, got {rank}")
        self.text_project = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, rank))
        self.image_project = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, rank))
        self.weight = nn.Parameter(torch.empty(width, rank + 1, rank + 1))
        self.bias = nn.Parameter(torch.zeros(width))
        nn.init.normal_(self.weight, std=1 / (rank + 1))
        self.norm = nn.LayerNorm(width)

    def prepare_text(self, text: Tokens) -> Prepared[CorrelationText]:
        """Reduce the sentence, and sum the matrices that its entries weigh: W vec(a b^T) = (sum_i a_i W_i) b."""
        sentence = F.pad(self.text_project(masked_mean(text.values, text.valid)), (1, 0), value=1.0)
        matrix = torch.einsum("ci,dij->cjd", sentence, self.weight)
        return prepared(text, CorrelationText(text.values, matrix[:, None]))

    def prepare_image(self, image: Tokens) -> Prepared[Values]:
        """Reduce each cell: (B, P, rank + 1)."""
        return prepared(image, Values(F.pad(self.image_project(image.values), (1, 0), value=1.0)))

    def meet(self, text: Prepared[CorrelationText], image: Prepared[Values], *, maps: bool = False) -> Fused:
        """Multiply each pair's matrix with its cells; see the class."""
        values = self.norm(image.parts.values @ text.parts.matrix[:, 0] + self.bias)
        return Fused(text.tokens(text.parts.values), image.tokens(values))
