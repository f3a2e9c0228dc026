"""The published design for masks: self-attention on each side, cross-attention, no residual, one vector out."""

from __future__ import annotations

from torch import nn

from plait.core.types import AttentionMap, Fused, Tokens
from plait.fusion.base.input_norm import InputNorm
from plait.fusion.base.one_token import one_token
from plait.fusion.base.pairs import PairFusion
from plait.fusion.base.prepared import Prepared, Values, prepared
from plait.nn.attention import MultiHeadAttention
from plait.nn.pooling import masked_mean

__all__ = ["PrintedSelfCrossFusion"]


class PrintedSelfCrossFusion(PairFusion[Values, Values]):
    """Let each side attend to itself, then the words to the image, and give the mean of what they found.

    Formula: with w and x the sides as `InputNorm` gives them, w' = Attention(w, w), x' = Attention(x, x),
        R = LayerNorm(Attention(w', x')), each without a residual; the image side is LayerNorm(mean(R)) as one token.

    Arguments:
        width:     D of both sides
        heads:     attention heads; divides D
        dropout:   on attention outputs
        positions: mark grid tokens with their row and column (see `InputNorm`)
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text R (B, T, D) and image (B, 1, D); one map, if requested, (B, heads, T, P), text over
                 image
    Requirements: several image tokens. Over a single one the softmax is 1, R is a function of the image alone, and the
    text changes nothing; it was published with pooled sides.
    Source: Anumula et al., masks from instructions (BERT, ResNet-50 and adapters), case 3. Differs: norms; the factor
    of dot products is 1 / sqrt(D / heads), where theirs is 1 / sqrt(D).
    Relations: `SelfCrossFusion` adds residuals and keeps the grid.
    """

    unread_with_one_token = "text"

    def __init__(self, width: int, *, heads: int = 8, dropout: float = 0.0, positions: bool = True) -> None:
        super().__init__()
        self.input_norm = InputNorm(width, sides=False, positions=positions)
        self.text_self_attention = MultiHeadAttention(width, heads=heads, dropout=dropout)
        self.image_self_attention = MultiHeadAttention(width, heads=heads, dropout=dropout)
        self.cross = MultiHeadAttention(width, heads=heads, dropout=dropout)
        self.text_norm = nn.LayerNorm(width)
        self.image_norm = nn.LayerNorm(width)

    def prepare_text(self, text: Tokens) -> Prepared[Values]:
        """Norm the words and let them attend to each other."""
        words = self.input_norm.text(text)
        return prepared(text, Values(self.text_self_attention(words, words, text.valid)[0]))

    def prepare_image(self, image: Tokens) -> Prepared[Values]:
        """Norm the cells, mark their places and let them attend to each other."""
        cells = self.input_norm.image(image)
        return prepared(image, Values(self.image_self_attention(cells, cells, image.valid)[0]))

    def meet(self, text: Prepared[Values], image: Prepared[Values], *, maps: bool = False) -> Fused:
        """Let each pair's words attend to its cells; see the class."""
        attended, weights = self.cross(text.parts.values, image.parts.values, image.valid, weights=maps)
        shown = () if weights is None else (AttentionMap(weights, query="text", key="image"),)
        words = self.text_norm(attended)
        summary = self.image_norm(masked_mean(words, text.valid))
        return Fused(text.tokens(words), one_token(summary), shown)
