"""Multi-head cross-attention on tokens, one way or both."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from torch import Tensor, nn

from plait.core.errors import ConfigError
from plait.core.types import AttentionMap, Fused, Modality, Tokens
from plait.fusion.base.input_norm import InputNorm
from plait.fusion.base.pairs import PairFusion
from plait.fusion.base.prepared import Prepared, Values, prepared
from plait.nn.blocks import CrossBlock, SelfBlock

__all__ = ["CrossFusion"]


class CrossFusion(PairFusion[Values, Values]):
    """Let words attend to regions, regions to words, or both, layer by layer.

    Formula: one layer, both ways, each from the layer's input x (text) and y (image):
        x' = x + Attention(LayerNorm(x), LayerNorm(y));  x'' = x' + FeedForward(LayerNorm(x'))
        y' = y + Attention(LayerNorm(y), LayerNorm(x));  y'' = y' + FeedForward(LayerNorm(y'))
    One-way leaves the other side as it entered. With `self_attention`, each side that attends to the other attends to
    itself first.

    Arguments:
        width:          D of both sides
        layers:         how many, at least 1
        heads:          attention heads; divides D
        direction:      "two_way", "t2i" (words are queries, regions keys) or "i2t"
        ratio:          hidden width of the feed-forward parts, in multiples of D
        dropout:        in attention and feed-forward parts
        self_attention: a self-attention block before each cross-attention
        positions:      mark grid tokens with their row and column (see `InputNorm`)
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D), layer-normed; maps, if requested: (B, heads, Q, K), one
                 per layer and direction
    Requirements: with one key per side attention is an exchange: the output still depends on both sides through the
    residual, but no word chooses anything. Keep that for the pooled baseline.
    Raises:
        ConfigError: an unknown direction, or layers is below 1.
    Source: Lu et al. 2019 (ViLBERT, two_way), Li et al. 2021 (ALBEF, t2i with self-attention); Vaswani et al. 2017.
    Differs: pre-norm; no pretraining; both directions start from the layer's input, so neither side sees the other's
    update early.
    """

    takes_shared_rows = True
    tested_options = (
        {"direction": "t2i"},
        {"direction": "i2t"},
        {"self_attention": True, "layers": 1, "dropout": 0.1},
    )

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
        self.input_norm = InputNorm(width, sides=False, positions=positions)

        def stack(*, wanted: bool) -> nn.ModuleList | None:
            if not wanted:
                return None
            return nn.ModuleList(
                _Direction(width, heads=heads, ratio=ratio, dropout=dropout, self_attention=self_attention)
                for _ in range(layers)
            )

        self.layers = layers
        self.shares_image = direction == "t2i"
        self.image_reads_text = direction != "t2i"
        # With one direction the other side attends to nothing, so the first self-attention depends on one side alone.
        self.prepares_self_attention = self_attention and direction != "two_way"
        self.t2i = stack(wanted=direction != "i2t")
        self.i2t = stack(wanted=direction != "t2i")
        self.text_norm = nn.LayerNorm(width)
        self.image_norm = nn.LayerNorm(width)

    def prepare_text(self, text: Tokens) -> Prepared[Values]:
        """Norm the words; if they alone attend, let them attend to themselves first."""
        return prepared(text, Values(self._self_attend(self.t2i, self.input_norm.text(text), text.valid)))

    def prepare_image(self, image: Tokens) -> Prepared[Values]:
        """Norm the regions and mark their places; if they alone attend, let them attend to themselves first."""
        return prepared(image, Values(self._self_attend(self.i2t, self.input_norm.image(image), image.valid)))

    def meet(self, text: Prepared[Values], image: Prepared[Values], *, maps: bool = False) -> Fused:
        """Let the sides attend to each other; keys of a row are projected once for all the pairs that share it."""
        text_keys, image_keys = text.shared(), image.shared()
        text = text_keys if self.t2i is None else text_keys.aligned()
        image = image_keys if self.i2t is None else image_keys.aligned()
        shown: list[AttentionMap] = []
        for layer in range(self.layers):
            own = layer > 0 or not self.prepares_self_attention
            next_text, next_image = text, image
            if self.t2i is not None:
                next_text, weights = self.t2i[layer](text, image_keys, own=own, weights=maps)
                shown += _maps(weights, "text", "image", layer)
            if self.i2t is not None:
                next_image, weights = self.i2t[layer](image, text_keys, own=own, weights=maps)
                shown += _maps(weights, "image", "text", layer)
            text, image = next_text, next_image
            text_keys, image_keys = text, image
        return Fused(
            text.tokens(self.text_norm(text.parts.values)),
            image.tokens(self.image_norm(image.parts.values)),
            tuple(shown),
            text_row=text.row,
            image_row=image.row,
        )

    def _self_attend(self, direction: nn.ModuleList | None, values: Tensor, valid: Tensor) -> Tensor:
        if direction is None or not self.prepares_self_attention:
            return values
        return cast(_Direction, direction[0]).self_attend(values, valid)


class _Direction(nn.Module):
    """One layer of one direction: queries attend to each other, if requested, and then to the other side."""

    def __init__(self, width: int, *, heads: int, ratio: float, dropout: float, self_attention: bool) -> None:
        super().__init__()
        self.self_attention = SelfBlock(width, heads=heads, ratio=ratio, dropout=dropout) if self_attention else None
        self.cross = CrossBlock(width, heads=heads, ratio=ratio, dropout=dropout)

    def self_attend(self, values: Tensor, valid: Tensor) -> Tensor:
        return values if self.self_attention is None else self.self_attention(values, valid)

    def forward(
        self, query: Prepared[Values], keys: Prepared[Values], *, own: bool, weights: bool
    ) -> tuple[Prepared[Values], Tensor | None]:
        """Give the updated queries (M, Q, D) and, if requested, the weights (M, heads, Q, K)."""
        values = query.parts.values
        if own:
            values = self.self_attend(values, query.valid)
        if weights:
            keys = keys.aligned()
        maps: Tensor | None = None
        if keys.row is None:
            values, maps = self.cross(values, keys.parts.values, keys.valid, weights=weights)
        else:
            values = self.cross.forward_rows(values, query.valid, keys.parts.values, keys.valid, keys.row)
        return replace(query, parts=Values(values)), maps


def _maps(weights: Tensor | None, query: Modality, key: Modality, layer: int) -> list[AttentionMap]:
    return [] if weights is None else [AttentionMap(weights, query, key, layer)]
