"""The head of the pairing "matched": the cosine of a fused pair's two mean tokens."""

from __future__ import annotations

from torch import Tensor

from plait.core.types import Fused, MatchScores, Tokens
from plait.heads.base import MatchHead
from plait.nn.pairs import unit_vectors
from plait.nn.pooling import masked_mean

__all__ = ["PairCosineHead"]


class PairCosineHead(MatchHead):
    """Compare the two sides of a fused pair.

    Formula: cos(mean of the real text tokens, mean of the real image tokens).

    Shapes:
        fused:   text (B, T, D), image (B, P, D) float; token counts may differ
        returns: MatchScores "cosine": (B,) in [-1, 1]; 0 where a side has no real token
    Source: Park 2025, Deep Learning DNA, section 10.4.4, its comparison of the ladder's versions. Differs: none; it
    learns nothing.
    Relations: equals the diagonal of the scores of the pairing "matched"; a test holds both. A high value says little:
    some fusions make both sides of any pair alike.
    """

    def forward(self, fused: Fused) -> MatchScores:
        """Score pairs, (B,); see the class."""
        text = _mean(fused.text, fused.text_row)
        image = _mean(fused.image, fused.image_row)
        return MatchScores((unit_vectors(text) * unit_vectors(image)).sum(-1), "cosine")


def _mean(tokens: Tokens, row: Tensor | None) -> Tensor:
    mean = masked_mean(tokens.values, tokens.valid)
    return mean if row is None else mean[row]
