"""What every fusion is: aligned text and image tokens in, fused pairs out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from torch import nn

from plait.core.types import Fused, Similarities, Tokens

__all__ = ["Fusion", "SimilarityFusion"]


class Fusion(nn.Module, ABC):
    """A fusion of pairs.

    A subclass writes `forward` like its formula, on aligned rows. `reads` names the head of matching that reads it:
    "logit" (a small network on the fused pair) or "similarity" (cosines of aligned vectors; see `SimilarityFusion`).
    Where much of the work needs one side alone, `plait.fusion.base.pairs.PairFusion` does it once per row.
    """

    reads: ClassVar[Literal["similarity", "logit"]] = "logit"

    @abstractmethod
    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Fuse row i of the text (B, T, D) with row i of the image (B, P, D); attention maps only if asked."""


class SimilarityFusion(Fusion):
    """A fusion whose formula gives the similarities of all pairs by algebra, without fusing each."""

    reads: ClassVar[Literal["similarity", "logit"]] = "similarity"

    @abstractmethod
    def similarities(self, text: Tokens, image: Tokens) -> Similarities:
        """Compare every image (B rows) with every caption (C rows): values (B, C, Q), as a head would of each pair."""

    @property
    def reads_summaries(self) -> bool:
        """Whether the encoders' own one-vector summaries are all that is read."""
        return False
