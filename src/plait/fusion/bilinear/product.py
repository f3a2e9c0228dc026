"""The elementwise product of both sides' pooled vectors: the plainest fusion with an interaction."""

from __future__ import annotations

from torch import Tensor, nn

from plait.core.errors import ConfigError
from plait.core.types import Fused, Tokens
from plait.fusion.base.pairs import PairFusion, rows_of
from plait.fusion.base.one_token import one_token
from plait.nn.pooling import masked_max, masked_mean

__all__ = ["ProductFusion"]


class ProductFusion(PairFusion):
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

    def __init__(self, width: int, *, pool: str = "mean") -> None:
        super().__init__()
        if pool not in ("mean", "max"):
            raise ConfigError(f"fusion 'product', pool: expected mean or max, got {pool!r}")
        self.pool_name = pool
        self.text_project = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width))
        self.image_project = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width))

    def prepare(self, text: Tokens, image: Tokens) -> tuple[Tokens, Tokens]:
        """Pool and project each side by itself, to one token a row."""
        pool = masked_max if self.pool_name == "max" else masked_mean
        return (
            one_token(self.text_project(pool(text.values, text.valid))),
            one_token(self.image_project(pool(image.values, image.valid))),
        )

    def meet(
        self,
        text: Tokens,
        image: Tokens,
        *,
        text_row: Tensor | None = None,
        image_row: Tensor | None = None,
        maps: bool = False,
    ) -> Fused:
        """Multiply the prepared vectors pair by pair."""
        joint = one_token(rows_of(text, text_row).values[:, 0] * rows_of(image, image_row).values[:, 0])
        return Fused(joint, joint)
