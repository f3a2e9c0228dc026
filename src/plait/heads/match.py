"""The two heads of matching: cosine of aligned tokens, or a small network with one logit."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from plait.core.errors import ConfigError, ShapeError
from plait.core.types import Fused, MatchScores, Similarities, Tokens
from plait.heads.base import AllPairsHead, MatchHead
from plait.nn.dropout import Dropout
from plait.nn.pairs import Pool, pool_similarities, unit_vectors
from plait.nn.pooling import AttentionPool, masked_max, masked_mean

__all__ = ["LogitHead", "PairedVectors", "SimilarityHead"]


class SimilarityHead(AllPairsHead):
    """Take the cosine of each query with its context, and pool over the queries.

    Formula: r_q = cos(text_q, image_q), over real queries q;
        "mean": sum_q r_q / n,   "sum": sum_q r_q,   "lse": ln(sum_q exp(lse_scale * r_q)) / lse_scale.

    Arguments:
        pool:      "mean", "sum" or "lse"
        lse_scale: of "lse" only: large is near the maximum, and more queries give a higher score
    Shapes:
        fused:        text and image (B, Q, D) float, aligned token by token; the text side's mask says which are real
        similarities: values (B, C, Q) in [-1, 1]
        returns:      MatchScores "cosine": (B,) for fused pairs, (B, C) for similarities; in [-1, 1] with "mean".
                      A pair without any real query scores 0.
    Raises:
        ConfigError: an unknown pool, or lse_scale is not above 0.
        ShapeError: the sides are not aligned.
    Source: Lee et al. 2018 (SCAN): LogSumExp with 6 for words and 5 for regions, or the mean; Khattab & Zaharia 2020
    (ColBERT): the sum. Differs: the mean is the default for all, as it keeps the range.
    Relations: `pool` on a fusion's `similarities` equals `forward` on every pair it fuses; a test holds both.
    """

    def __init__(self, *, pool: Pool = "mean", lse_scale: float = 6.0) -> None:
        super().__init__()
        if pool not in ("mean", "sum", "lse"):
            raise ConfigError(f"similarity head, pool: expected mean, sum or lse, got {pool!r}")
        if not lse_scale > 0:
            raise ConfigError(f"similarity head, lse_scale: expected a value above 0, got {lse_scale}")
        self.pool_name: Pool = pool
        self.lse_scale = lse_scale

    def forward(self, fused: Fused) -> MatchScores:
        """Score aligned pairs, (B,), in float32 at least; see the class."""
        text, image = fused.text.values, fused.image.values
        if text.shape != image.shape:
            raise ShapeError(
                f"similarity head: expected text and image tokens aligned one to one, got {tuple(text.shape)} and "
                f'{tuple(image.shape)}; a fusion that reads "logit" needs the logit head'
            )
        cosine = (unit_vectors(text) * unit_vectors(image)).sum(-1)
        return MatchScores(self._pooled(cosine, fused.text.valid), "cosine")

    def pool(self, similarities: Similarities) -> MatchScores:
        """Score every image with every caption, (B, C); see the class."""
        return MatchScores(self._pooled(similarities.values, similarities.valid), "cosine")

    def _pooled(self, values: Tensor, valid: Tensor) -> Tensor:
        return pool_similarities(values, valid, pool=self.pool_name, lse_scale=self.lse_scale)


class LogitHead(MatchHead):
    """Give one logit for a fused pair: do its sides belong together?

    Formula: W2 gelu(W1 LayerNorm([t; i]) + b1) + b2, where t and i are the sides' own pooled vectors if the fusion set
    them, else their tokens pooled.

    Arguments:
        width:   D of the fused tokens
        hidden:  width of the hidden layer; 0 = D
        dropout: on the hidden layer
        pool:    how tokens become one vector: "mean", "max" or "attention"
    Shapes:
        fused:   text (B, T, D), image (B, P, D) float
        returns: MatchScores "logit": (B,), unbounded
    Raises:
        ConfigError: an unknown pool.
        ShapeError: the fused width is not `width`.
    Source: the matching head of Li et al. 2021 (ALBEF) and Chen et al. 2020 (UNITER). Differs: those read the first
    token; here any tokens do, so that encoders without a class token fit. One logit in place of two.
    """

    def __init__(self, width: int, *, hidden: int = 0, dropout: float = 0.0, pool: str = "mean") -> None:
        super().__init__()
        hidden = hidden if hidden > 0 else width
        self.vectors = PairedVectors(width, pool)
        self.mlp = nn.Sequential(
            nn.LayerNorm(2 * width),
            nn.Linear(2 * width, hidden),
            nn.GELU(),
            Dropout(dropout),
            nn.Linear(hidden, 1),
        )

    def forward(self, fused: Fused) -> MatchScores:
        """Score aligned pairs, (B,); see the class."""
        return MatchScores(self.mlp(torch.cat(self.vectors(fused), -1)).squeeze(-1), "logit")


class PairedVectors(nn.Module):
    """Give both sides of fused pairs as one vector each: the sides' own pooled vectors, else their tokens pooled.

    Arguments:
        width: D of the fused tokens
        pool:  how tokens become one vector: "mean", "max" or "attention"
    Shapes: fused text (B, T, D), image (B, P, D) float -> text (M, D), image (M, D), one row per pair
    Raises:
        ConfigError: an unknown pool.
        ShapeError: the fused width is not `width`.
    """

    def __init__(self, width: int, pool: str) -> None:
        super().__init__()
        if pool not in ("mean", "max", "attention"):
            raise ConfigError(f"head of matching, pool: expected mean, max or attention, got {pool!r}")
        self.width = width
        self.pool_name = pool
        self.text_pool = AttentionPool(width) if pool == "attention" else None
        self.image_pool = AttentionPool(width) if pool == "attention" else None

    def forward(self, fused: Fused) -> tuple[Tensor, Tensor]:
        """Give text and image vectors; see the class."""
        text = _paired(self._one(fused.text, self.text_pool), fused.text_row)
        image = _paired(self._one(fused.image, self.image_pool), fused.image_row)
        for side, vector in (("text", text), ("image", image)):
            if vector.shape[-1] != self.width:
                raise ShapeError(f"head of matching: expected {side} of width {self.width}, got {vector.shape[-1]}")
        return text, image

    def _one(self, tokens: Tokens, attention: AttentionPool | None) -> Tensor:
        if tokens.pooled is not None:
            return tokens.pooled
        if attention is not None:
            pooled: Tensor = attention(tokens.values, tokens.valid)
            return pooled
        pool = masked_max if self.pool_name == "max" else masked_mean
        return pool(tokens.values, tokens.valid)


def _paired(vectors: Tensor, row: Tensor | None) -> Tensor:
    return vectors if row is None else vectors[row]
