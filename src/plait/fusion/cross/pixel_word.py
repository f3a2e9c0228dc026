"""Word-pixel attention: every cell attends to the words, and a gate scales what is added to the cell."""

from __future__ import annotations

from torch import Tensor, nn

from plait.core.errors import ConfigError
from plait.core.types import AttentionMap, Fused, Tokens
from plait.fusion.base.input_norm import InputNorm
from plait.fusion.base.pairs import PairFusion
from plait.fusion.base.prepared import Prepared, Values, prepared
from plait.nn.attention import MultiHeadAttention
from plait.nn.blocks import FeedForward, SelfBlock

__all__ = ["PixelWordFusion"]


class PixelWordFusion(PairFusion[Values, Values]):
    """Let each cell of the image attend to the words, and add the result through a learned gate.

    Formula: one layer, with n = LayerNorm(x) of the cells x and words w:
        f = M (gelu(V n) * Attention(n, w));  x' = x + tanh(G2 relu(G1 f)) * f;  x'' = x' + FeedForward(LayerNorm(x'))
    and after it, with `self_attention`, a self-attention block over the cells. At the end LayerNorm.

    Arguments:
        width:          D of both sides
        layers:         how many, at least 1
        heads:          attention heads; divides D
        ratio:          hidden width of the feed-forward parts, in multiples of D
        dropout:        in attention and feed-forward parts
        self_attention: a self-attention block over the cells after each layer: a cell then depends on what the others
                        took from the text, which phrases such as "left of the dog" need
        positions:      mark grid tokens with their row and column (see `InputNorm`)
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) after the input norm and image (B, P, D) on its grid; maps, if requested: one
                 per layer, (B, heads, P, T), image over text
    Raises:
        ConfigError: layers is below 1.
    Source: Yang et al. 2022 (LAVT), the word-pixel attention and language gate; Ye et al. 2019 (CMSA). Differs: it
    is applied after the image encoder, not inside its stages; multi-head attention in place of one head with instance
    norms; pre-norm feed-forward and self-attention take the place of the stages that follow in LAVT.
    """

    tested_options = (
        {"self_attention": False},
        {"layers": 2, "heads": 4},
        {"layers": 2, "self_attention": False, "dropout": 0.1},
    )

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
        self.input_norm = InputNorm(width, sides=False, positions=positions)
        self.layers = nn.ModuleList(
            _GatedLayer(width, heads=heads, ratio=ratio, dropout=dropout) for _ in range(layers)
        )
        self.self_attention = nn.ModuleList(
            SelfBlock(width, heads=heads, ratio=ratio, dropout=dropout) for _ in range(layers if self_attention else 0)
        )
        self.norm = nn.LayerNorm(width)

    def prepare_text(self, text: Tokens) -> Prepared[Values]:
        """Norm the words."""
        return prepared(text, Values(self.input_norm.text(text)))

    def prepare_image(self, image: Tokens) -> Prepared[Values]:
        """Norm the cells and mark their places."""
        return prepared(image, Values(self.input_norm.image(image)))

    def meet(self, text: Prepared[Values], image: Prepared[Values], *, maps: bool = False) -> Fused:
        """Let each pair's cells attend to its words; see the class."""
        words, cells = text.parts.values, image.parts.values
        shown = []
        for number, layer in enumerate(self.layers):
            cells, weights = layer(cells, words, text.valid, weights=maps)
            if weights is not None:
                shown.append(AttentionMap(weights, query="image", key="text", layer=number))
            if len(self.self_attention):
                cells = self.self_attention[number](cells, image.valid)
        return Fused(text.tokens(words), image.tokens(self.norm(cells)), tuple(shown))


class _GatedLayer(nn.Module):
    """One layer; see `PixelWordFusion`."""

    def __init__(self, width: int, *, heads: int, ratio: float, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = MultiHeadAttention(width, heads=heads, dropout=dropout)
        self.cell_project = nn.Sequential(nn.Linear(width, width), nn.GELU())
        self.joint_project = nn.Linear(width, width)
        self.gate = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.Tanh())
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, ratio=ratio, dropout=dropout)

    def forward(
        self, cells: Tensor, words: Tensor, words_valid: Tensor, *, weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Give the updated cells (B, P, D) and, if requested, the weights (B, heads, P, T)."""
        normed = self.norm(cells)
        attended, shown = self.attention(normed, words, words_valid, weights=weights)
        found = self.joint_project(self.cell_project(normed) * attended)
        cells = cells + self.gate(found) * found
        return cells + self.feed_forward(self.feed_forward_norm(cells)), shown
