"""Multi-head cross-attention on tokens, one way or both."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor, nn

from plait.core.errors import ConfigError
from plait.core.types import AttentionMap, Fused, Modality, Tokens
from plait.fusion.entrance import Entrance
from plait.nn.blocks import CrossBlock, SelfBlock

__all__ = ["CrossFusion"]


class CrossFusion(nn.Module):
    """Let words attend to regions, regions to words, or both, layer by layer.

    Formula: one layer, both ways, each from the layer's input x (text) and y (image):
        x' = x + Attention(LayerNorm(x), LayerNorm(y));  x'' = x' + FeedForward(LayerNorm(x'))
        y' = y + Attention(LayerNorm(y), LayerNorm(x));  y'' = y' + FeedForward(LayerNorm(y'))
    One-way leaves the other side as it entered. With `self_attention`, each side that attends first attends to itself.

    Arguments:
        width:          D of both sides
        layers:         how many, at least 1
        heads:          attention heads; divides D
        direction:      "two_way", "t2i" (words are queries, regions keys) or "i2t"
        ratio:          hidden width of the feed-forward parts, in multiples of D
        dropout:        in attention and feed-forward parts
        self_attention: a self-attention block before each cross-attention
        positions:      mark grid tokens with their row and column (see `Entrance`)
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D), layer-normed; maps, if asked: (B, heads, Q, K), one a
                 layer and direction
    Requirements: with one key a side attention is a swap: the output still depends on both sides through the residual,
    but no word chooses anything. Keep that for the pooled baseline.
    Raises:
        ConfigError: an unknown direction, or layers is below 1.
    Source: Lu et al. 2019 (ViLBERT, two_way), Li et al. 2021 (ALBEF, t2i with self-attention); Vaswani et al. 2017.
    Differs: pre-norm; no pretraining; both directions read the layer's input, so neither side sees the other's update
    early.
    """

    reads: ClassVar[Literal["similarity", "logit"]] = "logit"

    def __init__(
        self,
        width: int,
        *,
        layers: int = 2,
        heads: int = 8,
        direction: str = "two_way",
        ratio: float = 2,
        dropout: float = 0.0,
        self_attention: bool = False,
        positions: bool = True,
    ) -> None:
        super().__init__()
        if direction not in ("two_way", "t2i", "i2t"):
            raise ConfigError(f"fusion 'cross', direction: expected two_way, t2i or i2t, got {direction!r}")
        if layers < 1:
            raise ConfigError(f"fusion 'cross', layers: expected at least 1, got {layers}")
        self.entrance = Entrance(width, sides=False, positions=positions)

        def stack(*, wanted: bool) -> nn.ModuleList | None:
            if not wanted:
                return None
            return nn.ModuleList(
                _Way(width, heads=heads, ratio=ratio, dropout=dropout, self_attention=self_attention)
                for _ in range(layers)
            )

        self.layers = layers
        self.t2i = stack(wanted=direction != "i2t")
        self.i2t = stack(wanted=direction != "t2i")
        self.text_norm = nn.LayerNorm(width)
        self.image_norm = nn.LayerNorm(width)

    def condense(self, text: Tokens, image: Tokens) -> tuple[Tokens, Tokens]:
        """Give both sides as they are: every token takes part in the meeting (see `ProductFusion.condense`)."""
        return text, image

    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Fuse aligned pairs; see the class."""
        words, regions = self.entrance(text, image)
        shown: list[AttentionMap] = []
        for layer in range(self.layers):
            before_words, before_regions = words, regions
            if self.t2i is not None:
                words, weights = self.t2i[layer](before_words, text.valid, before_regions, image.valid, weights=maps)
                shown += _maps(weights, "text", "image", layer)
            if self.i2t is not None:
                regions, weights = self.i2t[layer](before_regions, image.valid, before_words, text.valid, weights=maps)
                shown += _maps(weights, "image", "text", layer)
        return Fused(
            Tokens(self.text_norm(words), text.valid),
            Tokens(self.image_norm(regions), image.valid, image.grid, image.boxes),
            tuple(shown),
        )


class _Way(nn.Module):
    """One layer of one direction: queries attend to themselves, if asked, and then to the other side."""

    def __init__(self, width: int, *, heads: int, ratio: float, dropout: float, self_attention: bool) -> None:
        super().__init__()
        self.own = SelfBlock(width, heads=heads, ratio=ratio, dropout=dropout) if self_attention else None
        self.cross = CrossBlock(width, heads=heads, ratio=ratio, dropout=dropout)

    def forward(
        self, query: Tensor, query_valid: Tensor, key: Tensor, key_valid: Tensor, *, weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Give the updated queries (B, Q, D) and, if asked, the weights (B, heads, Q, K)."""
        if self.own is not None:
            query = self.own(query, query_valid)
        updated: tuple[Tensor, Tensor | None] = self.cross(query, key, key_valid, weights=weights)
        return updated


def _maps(weights: Tensor | None, query: Modality, key: Modality, layer: int) -> list[AttentionMap]:
    return [] if weights is None else [AttentionMap(weights, query, key, layer)]
