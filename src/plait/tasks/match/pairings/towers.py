"""Two towers: a fusion of one-sided vectors whose scores of all pairs are cheap, to find candidates with."""

from __future__ import annotations

from typing import Self

from torch import Tensor, nn

from plait.core.types import Tokens
from plait.fusion.base.fusion import SimilarityFusion
from plait.heads.match import SimilarityHead
from plait.tasks.match.score import score_by_algebra

__all__ = ["Towers"]


class Towers(nn.Module):
    """The first stage of pairing "itm".

    Formula: s[b, c] = head(fusion(text c, image b)), by the fusion's algebra.

    Shapes: text Tokens (C, T, D), image Tokens (B, P, D); returns (B, C) float, cosines.
    """

    def __init__(self, fusion: SimilarityFusion, head: SimilarityHead) -> None:
        super().__init__()
        self.fusion = fusion
        self.head = head
        self._is_fixed = False

    def fix(self) -> None:
        """Stop training the towers, for good."""
        self._is_fixed = True
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Self:
        """Switch dropout on or off; fixed towers stay in evaluation mode."""
        return super().train(mode and not self._is_fixed)

    @property
    def reads_summaries(self) -> bool:
        """Whether the encoders' own one-vector summaries are all that the towers read."""
        return self.fusion.reads_summaries

    def forward(self, text: Tokens, image: Tokens, *, exact: bool = False) -> Tensor:
        """Score every image (rows) with every caption (columns), (B, C); exact: in float32 whatever the autocast."""
        return score_by_algebra(self.fusion, self.head, text, image, exact=exact)
