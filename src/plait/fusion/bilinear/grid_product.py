"""The elementwise product of the sentence with every cell of the image, with or without self-attention before it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from plait.core.types import Fused, Tokens
from plait.fusion.base.pairs import PairFusion
from plait.fusion.base.prepared import Parts, Prepared, Values, prepared
from plait.nn.blocks import SelfBlock
from plait.nn.pooling import masked_mean

__all__ = ["GridProductFusion", "ProductText"]


@dataclass(frozen=True)
class ProductText(Parts):
    """The words and the factor that they give every cell.

    Fields:
        values: (C, T, D) float, the words after self-attention
        factor: (C, 1, D) float
    """

    values: Tensor
    factor: Tensor


class GridProductFusion(PairFusion[ProductText, Values]):
    """Multiply the sentence with each cell, entry by entry.

    Formula: y_p = (U LayerNorm(mean(w)) + a) * (V LayerNorm(x_p) + b); with `self_attention`, each side passes a
    self-attention block first.

    Arguments:
        width:          D of both sides
        self_attention: let words attend to words and cells to cells before the product
        heads, ratio, dropout: of those blocks
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) before the product and image (B, P, D) on its grid; no maps
    Source: Anumula et al. (masks from instructions), case 1 (with self-attention) and case 2 (without), on pooled
    vectors; Kim et al. 2017 (MLB). Differs: every cell is multiplied, not the image's one vector; given one token per
    side it is theirs. Layer norms and projections, as in `ProductFusion`.
    Relations: `ProductFusion` multiplies the pooled sides.
    """

    gives_maps = False
    tested_options = ({"self_attention": True},)

    def __init__(
        self, width: int, *, self_attention: bool = False, heads: int = 8, ratio: float = 2, dropout: float = 0.0
    ) -> None:
        super().__init__()

        def block() -> SelfBlock | None:
            return SelfBlock(width, heads=heads, ratio=ratio, dropout=dropout) if self_attention else None

        self.text_self_attention = block()
        self.image_self_attention = block()
        self.text_project = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width))
        self.image_project = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width))

    def prepare_text(self, text: Tokens) -> Prepared[ProductText]:
        """Let words attend to each other, if requested, and project their mean to the factor."""
        words = text.values
        if self.text_self_attention is not None:
            words = self.text_self_attention(words, text.valid)
        factor = self.text_project(masked_mean(words, text.valid))
        return prepared(text, ProductText(words, factor[:, None]))

    def prepare_image(self, image: Tokens) -> Prepared[Values]:
        """Let cells attend to each other, if requested, and project them."""
        cells = image.values
        if self.image_self_attention is not None:
            cells = self.image_self_attention(cells, image.valid)
        return prepared(image, Values(self.image_project(cells)))

    def meet(self, text: Prepared[ProductText], image: Prepared[Values], *, maps: bool = False) -> Fused:
        """Multiply each pair's factor with its cells; see the class."""
        return Fused(text.tokens(text.parts.values), image.tokens(image.parts.values * text.parts.factor))
