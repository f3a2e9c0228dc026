"""Word-pixel attention: every cell asks the sentence what it is to look for, and a gate lets the answer in."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from plait.core.errors import ConfigError
from plait.core.types import AttentionMap, Fused, Tokens
from plait.fusion.base.input_norm import Entrance
from plait.fusion.base.pairs import PairFusion, rows_of
from plait.nn.attention import MultiHeadAttention
from plait.nn.blocks import FeedForward, SelfBlock

__all__ = ["PixelWordFusion"]


class PixelWordFusion(PairFusion):
    """Let each cell of the picture attend to the words, and add what it finds through a learned gate.

    Formula: one layer, with n = LayerNorm(x) of the cells x and words w:
        f = M (gelu(V n) * Attention(n, w));  x' = x + tanh(G2 relu(G1 f)) * f;  x'' = x' + FeedForward(LayerNorm(x'))
    and after it, with `self_attention`, a self-attention block over the cells. At the end LayerNorm.

    Arguments:
        width:          D of both sides
        layers:         how many, at least 1
        heads:          attention heads; divides D
        ratio:          hidden width of the feed-forward parts, in multiples of D
        dropout:        in attention and feed-forward parts
        self_attention: a self-attention block over the cells after each layer: a cell then knows what the others
                        found, which phrases such as "left of the dog" need
        positions:      mark grid tokens with their row and column (see `Entrance`)
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) as it entered and image (B, P, D) on its grid; maps, if asked: one a layer,
                 (B, heads, P, T), image over text
    Raises:
        ConfigError: layers is below 1.
    Source: Yang et al. 2022 (LAVT), the word-pixel attention and language gate; Ye et al. 2019 (CMSA). Differs: it
    stands behind the image encoder, not inside its stages; multi-head attention in place of one head with instance
    norms; pre-norm feed-forward and self-attention take the place of the stages that follow in LAVT.
    """

    def __init__(
        self,
        width: int,
        *,
        layers: int = 1,
        heads: int = 8,
        ratio: float = 2,
        dropout: float = 0.0,
        self_attention: bool = True,
        positions: bool = True,
    ) -> None:
        super().__init__()
        if layers < 1:
            raise ConfigError(f"fusion 'pixel_word', layers: expected at least 1, got {layers}")
        self.entrance = Entrance(width, sides=False, positions=positions)
        self.layers = nn.ModuleList(_Gated(width, heads=heads, ratio=ratio, dropout=dropout) for _ in range(layers))
        self.own = nn.ModuleList(
            SelfBlock(width, heads=heads, ratio=ratio, dropout=dropout) for _ in range(layers if self_attention else 0)
        )
        self.norm = nn.LayerNorm(width)

    def prepare(self, text: Tokens, image: Tokens) -> tuple[Tokens, Tokens]:
        """Bring each side to one scale."""
        words, cells = self.entrance(text, image)
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
        """Let each pair's cells read its words; see the class."""
        text, image = rows_of(text, text_row), rows_of(image, image_row)
        values, shown = image.values, []
        for number, layer in enumerate(self.layers):
            values, weights = layer(values, text, weights=maps)
            if weights is not None:
                shown.append(AttentionMap(weights, query="image", key="text", layer=number))
            if len(self.own):
                values = self.own[number](values, image.valid)
        return Fused(replace(text, pooled=None), replace(image, values=self.norm(values), pooled=None), tuple(shown))


class _Gated(nn.Module):
    """One layer; see `PixelWordFusion`."""

    def __init__(self, width: int, *, heads: int, ratio: float, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = MultiHeadAttention(width, heads=heads, dropout=dropout)
        self.see = nn.Sequential(nn.Linear(width, width), nn.GELU())
        self.mix = nn.Linear(width, width)
        self.gate = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.Tanh())
        self.feed_norm = nn.LayerNorm(width)
        self.feed = FeedForward(width, ratio=ratio, dropout=dropout)

    def forward(self, cells: Tensor, words: Tokens, *, weights: bool) -> tuple[Tensor, Tensor | None]:
        """Give the updated cells (B, P, D) and, if asked, the weights (B, heads, P, T)."""
        normed = self.norm(cells)
        read, shown = self.attention(normed, words.values, words.valid, weights=weights)
        found = self.mix(self.see(normed) * read)
        cells = cells + self.gate(found) * found
        return cells + self.feed(self.feed_norm(cells)), shown
