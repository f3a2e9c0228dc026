"""The elementwise product of the sentence with every cell of the picture, with or without self-attention before it."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from plait.core.types import Fused, Tokens
from plait.fusion.base.pairs import PairFusion, rows_of
from plait.nn.blocks import SelfBlock
from plait.nn.pooling import masked_mean

__all__ = ["GridProductFusion"]


class GridProductFusion(PairFusion):
    """Multiply the sentence with each cell, entry by entry.

    Formula: y_p = (U LayerNorm(mean(w)) + a) * (V LayerNorm(x_p) + b); with `self_attention`, each side passes a
    self-attention block first.

    Arguments:
        width:          D of both sides
        self_attention: let words read words and cells read cells before they meet
        heads, ratio, dropout: of those blocks
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) before the product and image (B, P, D) on its grid; no maps
    Source: the course report on masks from instructions, case 1 (with self-attention) and case 2 (without), on pooled
    vectors; Kim et al. 2017 (MLB). Differs: every cell is multiplied, not the picture's one vector; fed with one token
    a side it is theirs. Layer norms and projections, as in `ProductFusion`.
    Relations: `ProductFusion` multiplies the pooled sides.
    """

    def __init__(
        self, width: int, *, self_attention: bool = False, heads: int = 8, ratio: float = 2, dropout: float = 0.0
    ) -> None:
        super().__init__()

        def own() -> SelfBlock | None:
            return SelfBlock(width, heads=heads, ratio=ratio, dropout=dropout) if self_attention else None

        self.text_own = own()
        self.image_own = own()
        self.text_project = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width))
        self.image_project = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width))

    def prepare(self, text: Tokens, image: Tokens) -> tuple[Tokens, Tokens]:
        """Let each side attend to itself, if asked, and project it; `pooled` of the text becomes its factor."""
        words = text.values if self.text_own is None else self.text_own(text.values, text.valid)
        cells = image.values if self.image_own is None else self.image_own(image.values, image.valid)
        factor = self.text_project(masked_mean(words, text.valid))
        return replace(text, values=words, pooled=factor), replace(image, values=self.image_project(cells))

    def meet(
        self,
        text: Tokens,
        image: Tokens,
        *,
        text_row: Tensor | None = None,
        image_row: Tensor | None = None,
        maps: bool = False,
    ) -> Fused:
        """Multiply each pair's factor with its cells; see the class."""
        text, image = rows_of(text, text_row), rows_of(image, image_row)
        assert text.pooled is not None  # set by `prepare`
        values = image.values * text.pooled[:, None]
        return Fused(replace(text, pooled=None), replace(image, values=values, pooled=None))
