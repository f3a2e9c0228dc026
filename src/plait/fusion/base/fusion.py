"""What every fusion is: aligned text and image tokens in, fused pairs out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from plait.core.types import Fused, Similarities, Tokens

__all__ = ["Fusion", "SimilarityFusion", "TwoTowerFusion"]


class Fusion(nn.Module, ABC):
    """A fusion of pairs.

    A subclass writes `forward` like its formula, on aligned rows. Its constructor takes the width D of both sides, then
    options by keyword. Where much of the work needs one side alone, `plait.fusion.base.pairs.PairFusion` does it once
    per row.

    Attributes (the contract tests hold a fusion to what it declares):
        reads:                 the head of matching that reads it: "logit" (a small network on the fused pair) or
                               "similarity" (cosines of aligned vectors; see `SimilarityFusion`)
        gives_maps:            whether attention maps come when requested; False where nothing attends across sides
        image_reads_text:      whether the fused image depends on the text; where it does not, nor does a mask
        unread_with_one_token: the side that the fused pair does not depend on when each side is a single token, or "".
                               A softmax over one key is 1: where only attention weights carry a side, it is lost
        tested_options:        options, beside the defaults, with which the contract tests run this fusion: one mapping
                               for each way of computing that the defaults do not reach
    """

    reads: ClassVar[Literal["similarity", "logit"]] = "logit"
    gives_maps: ClassVar[bool] = True
    unread_with_one_token: ClassVar[Literal["", "text", "image"]] = ""
    tested_options: ClassVar[tuple[Mapping[str, Any], ...]] = ()
    image_reads_text: bool = True

    @abstractmethod
    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Fuse row i of the text (B, T, D) with row i of the image (B, P, D); attention maps only when requested."""


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


class TwoTowerFusion(SimilarityFusion):
    """A fusion in which neither side sees the other: a similarity is the cosine of one vector per side."""

    @abstractmethod
    def text_vector(self, text: Tokens) -> Tensor:
        """Give one vector per text: Tokens (C, T, D) -> (C, E) float, of any length."""

    @abstractmethod
    def image_vector(self, image: Tokens) -> Tensor:
        """Give one vector per image: Tokens (B, P, D) -> (B, E) float, of any length."""
