"""A head of matching that compares both sides of a fused pair term by term."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from plait.core.errors import ShapeError
from plait.core.types import Fused, MatchScores
from plait.heads.base import MatchHead
from plait.heads.match import PairedVectors
from plait.nn.dropout import Dropout
from plait.nn.pairs import unit_vectors

__all__ = ["CompareHead"]


class CompareHead(MatchHead):
    """Give one logit for a fused pair from products and differences of its sides.

    Formula: W2 gelu(W1 LayerNorm([t; i; t * i; |t - i|; cos(t, i)]) + b1) + b2, where t and i are the sides' vectors as
    in `LogitHead`, and the norm leaves the cosine out.

    A network on [t; i] alone has to learn to multiply. Products, differences and the cosine are what comparing two
    vectors needs.

    Arguments:
        width, hidden, dropout, pool: see `LogitHead`
    Shapes:
        fused:   text (B, T, D), image (B, P, D) float
        returns: MatchScores "logit": (B,), unbounded
    Raises:
        ConfigError: an unknown pool.
        ShapeError: the fused width is not `width`.
    Source: Mou et al. 2016 (natural language inference by tree-based convolution) and InferSent (Conneau et al. 2017):
    the concatenation of both vectors, their product and their absolute difference. Differs: the cosine is added.
    """

    def __init__(self, width: int, *, hidden: int = 0, dropout: float = 0.0, pool: str = "mean") -> None:
        super().__init__()
        self.vectors = PairedVectors(width, pool)
        hidden = hidden if hidden > 0 else width
        self.norm = nn.LayerNorm(4 * width)
        self.mlp = nn.Sequential(nn.Linear(4 * width + 1, hidden), nn.GELU(), Dropout(dropout), nn.Linear(hidden, 1))

    def forward(self, fused: Fused) -> MatchScores:
        """Score aligned pairs, (B,); see the class."""
        text, image = self.vectors(fused)
        if text.shape != image.shape:
            raise ShapeError(
                f"compare head: expected vectors of both sides, row by row, got {tuple(text.shape)} and "
                f"{tuple(image.shape)}"
            )
        cosine = (unit_vectors(text) * unit_vectors(image)).sum(-1, keepdim=True)
        terms: Tensor = self.norm(torch.cat([text, image, text * image, (text - image).abs()], -1))
        return MatchScores(self.mlp(torch.cat([terms, cosine.to(terms.dtype)], -1)).squeeze(-1), "logit")
