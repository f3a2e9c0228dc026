"""Multi-head cross-attention on tokens, one way or both."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple, cast

from torch import Tensor, nn

from plait.core.errors import ConfigError
from plait.core.types import AttentionMap, Fused, Modality, Tokens
from plait.fusion.base.input_norm import Entrance
from plait.fusion.base.pairs import PairFusion, rows_of, shared_rows
from plait.nn.blocks import CrossBlock, SelfBlock

__all__ = ["CrossFusion"]


class CrossFusion(PairFusion):
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
        self.shares_image = direction == "t2i"
        # With one direction the other side reads nothing, so the first self-attention depends on one side alone.
        self.asks_itself_first = self_attention and direction != "two_way"
        self.t2i = stack(wanted=direction != "i2t")
        self.i2t = stack(wanted=direction != "t2i")
        self.text_norm = nn.LayerNorm(width)
        self.image_norm = nn.LayerNorm(width)

    def prepare(self, text: Tokens, image: Tokens) -> tuple[Tokens, Tokens]:
        """Bring each side to one scale; the one side that asks, if only one does, attends to itself."""
        words, regions = self.entrance(text, image)
        if self.asks_itself_first and self.t2i is not None:
            words = _first(self.t2i).ask_itself(words, text.valid)
        elif self.asks_itself_first and self.i2t is not None:
            regions = _first(self.i2t).ask_itself(regions, image.valid)
        return replace(text, values=words), replace(image, values=regions)

    def meet(
        self,
        text: Tokens,
        image: Tokens,
        *,
        text_row: Tensor | None = None,
        image_row: Tensor | None = None,
        maps: bool = False,
    ) -> Fused:
        """Let the sides read each other; keys of a row are projected once for all the pairs it takes part in."""
        if text_row is not None and image_row is not None:
            text, text_row = shared_rows(text, text_row)
            image, image_row = shared_rows(image, image_row)
        words, regions = _Keys(text, text_row), _Keys(image, image_row)
        text = text if self.t2i is None else rows_of(text, text_row)
        image = image if self.i2t is None else rows_of(image, image_row)
        shown: list[AttentionMap] = []
        for layer in range(self.layers):
            own = layer > 0 or not self.asks_itself_first
            read_text, read_image = text, image
            if self.t2i is not None:
                read_text, weights = self.t2i[layer](text, regions, own=own, weights=maps)
                shown += _maps(weights, "text", "image", layer)
            if self.i2t is not None:
                read_image, weights = self.i2t[layer](image, words, own=own, weights=maps)
                shown += _maps(weights, "image", "text", layer)
            text, image = read_text, read_image
            words = words if self.t2i is None else _Keys(text, None)
            regions = regions if self.i2t is None else _Keys(image, None)
        return Fused(
            Tokens(self.text_norm(text.values), text.valid),
            Tokens(self.image_norm(image.values), image.valid, image.grid, image.boxes),
            tuple(shown),
            text_row=words.row,
            image_row=regions.row,
        )


class _Keys(NamedTuple):
    """What a side reads: tokens, and which of their rows each pair reads (None: its own)."""

    tokens: Tokens
    row: Tensor | None


class _Way(nn.Module):
    """One layer of one direction: queries attend to themselves, if asked, and then to the other side."""

    def __init__(self, width: int, *, heads: int, ratio: float, dropout: float, self_attention: bool) -> None:
        super().__init__()
        self.own = SelfBlock(width, heads=heads, ratio=ratio, dropout=dropout) if self_attention else None
        self.cross = CrossBlock(width, heads=heads, ratio=ratio, dropout=dropout)

    def ask_itself(self, values: Tensor, valid: Tensor) -> Tensor:
        return values if self.own is None else self.own(values, valid)

    def forward(self, query: Tokens, keys: _Keys, *, own: bool, weights: bool) -> tuple[Tokens, Tensor | None]:
        """Give the updated queries (M, Q, D) and, if asked, the weights (M, heads, Q, K)."""
        values = self.ask_itself(query.values, query.valid) if own else query.values
        tokens = keys.tokens if not weights else rows_of(keys.tokens, keys.row)
        maps: Tensor | None = None
        if keys.row is None or weights:
            values, maps = self.cross(values, tokens.values, tokens.valid, weights=weights)
        else:
            values = self.cross.forward_rows(values, query.valid, tokens.values, tokens.valid, keys.row)
        return replace(query, values=values), maps


def _first(stack: nn.ModuleList) -> _Way:
    return cast(_Way, stack[0])


def _maps(weights: Tensor | None, query: Modality, key: Modality, layer: int) -> list[AttentionMap]:
    return [] if weights is None else [AttentionMap(weights, query, key, layer)]
