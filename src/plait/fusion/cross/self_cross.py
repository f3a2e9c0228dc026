"""Self-attention on each side, then the text asks the image: the published design for masks, and a grid form of it."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from plait.core.types import AttentionMap, Fused, Tokens
from plait.fusion.base.input_norm import Entrance
from plait.fusion.base.pairs import PairFusion, rows_of
from plait.fusion.base.one_token import one_token
from plait.nn.attention import MultiHeadAttention
from plait.nn.blocks import CrossBlock, SelfBlock
from plait.nn.pooling import masked_mean

__all__ = ["SelfCrossFusion"]


class SelfCrossFusion(PairFusion):
    """Let each side attend to itself, then the words to the picture, and mark on the grid what the words found.

    Formula: with w and x the sides as `Entrance` gives them, w' = SelfBlock(w), x' = SelfBlock(x),
        R = CrossBlock(query = w', key = x');  y_p = (U mean(R) + u) * x'_p.
    With `printed`: w' = Attention(w, w), x' = Attention(x, x), R = Attention(w', x'), each without a residual, and the
    image side is mean(R) as one token.

    Arguments:
        width:     D of both sides
        heads:     attention heads; divides D
        ratio:     hidden width of the feed-forward parts, in multiples of D
        dropout:   in attention and feed-forward parts
        printed:   the design as it was published: nothing but attention, and one vector out
        positions: mark grid tokens with their row and column (see `Entrance`)
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text R (B, T, D) and image (B, P, D) on its grid, or (B, 1, D) where `printed`; one map, if
                 asked, (B, heads, T, P), text over image
    Requirements: `printed` needs several image tokens. Over a single one the softmax is 1, R is a function of the
    image alone, and the text changes nothing; it was published so, with pooled sides.
    Source: the course report on masks from instructions (BERT, ResNet-50 and adapters), case 3. Differs: without
    `printed`, residuals and feed-forward parts, and a product that brings R back to the cells, since R lies on the
    words and a mask needs places. The factor of dot products is 1 / sqrt(D / heads), where theirs is 1 / sqrt(D).
    """

    def __init__(
        self,
        width: int,
        *,
        heads: int = 8,
        ratio: float = 2,
        dropout: float = 0.0,
        printed: bool = False,
        positions: bool = True,
    ) -> None:
        super().__init__()
        self.entrance = Entrance(width, sides=False, positions=positions)
        self.printed = printed
        self.text_own: nn.Module
        self.image_own: nn.Module
        self.cross: nn.Module
        if printed:
            self.text_own, self.image_own, self.cross = (
                MultiHeadAttention(width, heads=heads, dropout=dropout) for _ in range(3)
            )
        else:
            self.text_own, self.image_own = (
                SelfBlock(width, heads=heads, ratio=ratio, dropout=dropout) for _ in range(2)
            )
            self.cross = CrossBlock(width, heads=heads, ratio=ratio, dropout=dropout)
        self.spread = None if printed else nn.Linear(width, width)
        self.text_norm = nn.LayerNorm(width)
        self.image_norm = nn.LayerNorm(width)

    def prepare(self, text: Tokens, image: Tokens) -> tuple[Tokens, Tokens]:
        """Bring each side to one scale and let it attend to itself."""
        words, cells = self.entrance(text, image)
        if self.printed:
            words = self.text_own(words, words, text.valid)[0]
            cells = self.image_own(cells, cells, image.valid)[0]
        else:
            words, cells = self.text_own(words, text.valid), self.image_own(cells, image.valid)
        return replace(text, values=words), replace(image, values=cells)

    def meet(
        self,
        text: Tokens,
        image: Tokens,
        *,
        text_row: Tensor | None = None,
        image_row: Tensor | None = None,
        maps: bool = False,
    ) -> Fused:
        """Let each pair's words read its cells; see the class."""
        text, image = rows_of(text, text_row), rows_of(image, image_row)
        read, weights = self.cross(text.values, image.values, image.valid, weights=maps)
        shown = () if weights is None else (AttentionMap(weights, query="text", key="image"),)
        found = self.text_norm(read)
        words = replace(text, values=found, pooled=None)
        summary = masked_mean(found, text.valid)
        if self.spread is None:
            return Fused(words, one_token(self.image_norm(summary)), shown)
        values = self.image_norm(self.spread(summary)[:, None] * image.values)
        return Fused(words, replace(image, values=values, pooled=None), shown)
