"""The elementwise product of both sides' pooled vectors: the plainest fusion with an interaction."""

from __future__ import annotations

from torch import nn

from plait.core.errors import ConfigError
from plait.core.types import Fused, Tokens
from plait.fusion.base.one_token import one_token
from plait.fusion.base.pairs import PairFusion
from plait.fusion.base.prepared import Prepared, Values, prepared
from plait.nn.pooling import masked_max, masked_mean

__all__ = ["ProductFusion"]


class ProductFusion(PairFusion[Values, Values]):
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

    gives_maps = False
    tested_options = ({"pool": "max"},)

    def __init__(self, width: int, *, pool: str = "mean") -> None:
        super().__init__()
        if pool not in ("mean", "max"):
            raise ConfigError(f"fusion 'product', pool: expected mean or max, got {pool!r}")
        self.pool = masked_max if pool == "max" else masked_mean
        self.text_project = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width))
        self.image_project = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width))

    def prepare_text(self, text: Tokens) -> Prepared[Values]:
        """Pool and project the words to one token."""
        pooled = one_token(self.text_project(self.pool(text.values, text.valid)))
        return prepared(pooled, Values(pooled.values))

    def prepare_image(self, image: Tokens) -> Prepared[Values]:
        """Pool and project the regions to one token."""
        pooled = one_token(self.image_project(self.pool(image.values, image.valid)))
        return prepared(pooled, Values(pooled.values))

    def meet(self, text: Prepared[Values], image: Prepared[Values], *, maps: bool = False) -> Fused:
        """Multiply the prepared vectors pair by pair."""
        joint = text.tokens(text.parts.values * image.parts.values)
        return Fused(joint, joint)
