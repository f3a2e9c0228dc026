"""The elementwise product of both sides' pooled vectors: the plainest fusion with an interaction."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import nn

from plait.core.errors import ConfigError
from plait.core.types import Fused, Tokens
from plait.fusion.single import one_token
from plait.nn.pooling import masked_max, masked_mean

__all__ = ["ProductFusion"]


class ProductFusion(nn.Module):
    """Multiply the pooled text with the pooled image, entry by entry.

    Formula: z = (U LayerNorm(t) + a) * (V LayerNorm(v) + b), with t and v the pooled sides: a bilinear form of rank D.

    Arguments:
        width: D of both sides
        pool:  "mean" or "max" over real tokens
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused; both sides hold z as their one token, (B, 1, D); no maps
    Raises:
        ConfigError: an unknown pool.
    Source: Kim et al. 2017 (MLB, low-rank bilinear pooling). Differs: layer norms in place of tanh; the head's hidden
    layer takes the place of their last projection.
    """

    reads: ClassVar[Literal["similarity", "logit"]] = "logit"

    def __init__(self, width: int, *, pool: str = "mean") -> None:
        super().__init__()
        if pool not in ("mean", "max"):
            raise ConfigError(f"fusion 'product', pool: expected mean or max, got {pool!r}")
        self.pool_name = pool
        self.text_project = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width))
        self.image_project = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width))

    def condense(self, text: Tokens, image: Tokens) -> tuple[Tokens, Tokens]:
        """Give what each side brings to the meeting: its pooled vector as one token.

        Fusing the condensed sides equals fusing the whole ones; whoever scores many pairs condenses once and expands
        one token a side in place of all.
        """
        pool = masked_max if self.pool_name == "max" else masked_mean
        return one_token(pool(text.values, text.valid)), one_token(pool(image.values, image.valid))

    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Fuse aligned pairs; see the class."""
        text, image = self.condense(text, image)
        joint = self.text_project(text.values[:, 0]) * self.image_project(image.values[:, 0])
        return Fused(one_token(joint), one_token(joint))
