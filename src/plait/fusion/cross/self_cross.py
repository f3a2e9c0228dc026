"""Self-attention on each side, then words attend to cells and their mean scales the grid."""

from __future__ import annotations

from torch import nn

from plait.core.types import AttentionMap, Fused, Tokens
from plait.fusion.base.input_norm import InputNorm
from plait.fusion.base.pairs import PairFusion
from plait.fusion.base.prepared import Prepared, Values, prepared
from plait.nn.blocks import CrossBlock, SelfBlock
from plait.nn.pooling import masked_mean

__all__ = ["SelfCrossFusion"]


class SelfCrossFusion(PairFusion[Values, Values]):
    """Let each side attend to itself, then the words to the image, and scale the grid by what the words found.

    Formula: with w and x the sides as `InputNorm` gives them, w' = SelfBlock(w), x' = SelfBlock(x),
        R = LayerNorm(CrossBlock(query = w', key = x'));  y_p = LayerNorm((U mean(R) + u) * x'_p).

    Arguments:
        width:     D of both sides
        heads:     attention heads; divides D
        ratio:     hidden width of the feed-forward parts, in multiples of D
        dropout:   in attention and feed-forward parts
        positions: mark grid tokens with their row and column (see `InputNorm`)
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text R (B, T, D) and image (B, P, D) on its grid; one map, if requested, (B, heads, T, P),
                 text over image
    Source: Anumula et al., masks from instructions (BERT, ResNet-50 and adapters), case 3. Differs: residuals and
    feed-forward parts, and a product that brings R back to the cells, since R lies on the words and a mask needs
    places. The factor of dot products is 1 / sqrt(D / heads), where theirs is 1 / sqrt(D).
    Relations: `PrintedSelfCrossFusion` is the design as published.
    """

    tested_options = ({"heads": 2},)

    def __init__(
        self, width: int, *, heads: int = 8, ratio: float = 2, dropout: float = 0.0, positions: bool = True
    ) -> None:
        super().__init__()
        self.input_norm = InputNorm(width, sides=False, positions=positions)
        self.text_self_attention = SelfBlock(width, heads=heads, ratio=ratio, dropout=dropout)
        self.image_self_attention = SelfBlock(width, heads=heads, ratio=ratio, dropout=dropout)
        self.cross = CrossBlock(width, heads=heads, ratio=ratio, dropout=dropout)
        self.factor = nn.Linear(width, width)
        self.text_norm = nn.LayerNorm(width)
        self.image_norm = nn.LayerNorm(width)

    def prepare_text(self, text: Tokens) -> Prepared[Values]:
        """Norm the words and let them attend to each other."""
        return prepared(text, Values(self.text_self_attention(self.input_norm.text(text), text.valid)))

    def prepare_image(self, image: Tokens) -> Prepared[Values]:
        """Norm the cells, mark their places and let them attend to each other."""
        return prepared(image, Values(self.image_self_attention(self.input_norm.image(image), image.valid)))

    def meet(self, text: Prepared[Values], image: Prepared[Values], *, maps: bool = False) -> Fused:
        """Let each pair's words attend to its cells; see the class."""
        cells = image.parts.values
        attended, weights = self.cross(text.parts.values, cells, image.valid, weights=maps)
        shown = () if weights is None else (AttentionMap(weights, query="text", key="image"),)
        words = self.text_norm(attended)
        factor = self.factor(masked_mean(words, text.valid))
        return Fused(text.tokens(words), image.tokens(self.image_norm(factor[:, None] * cells)), shown)
