"""A transformer decoder: causal self-attention over the words, cross-attention to the grid."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plait.core.errors import ConfigError
from plait.core.types import CaptionLogits, Tokens
from plait.heads.caption.base import CaptionDecoder, Parts, Step
from plait.nn.attention import attention_weights
from plait.nn.blocks import FeedForward
from plait.nn.dropout import Dropout
from plait.nn.positions import sinusoid_1d

__all__ = ["TransformerDecoder"]


class TransformerDecoder(CaptionDecoder):
    """Let each word attend to the words before it and to the grid, several times.

    Formula: x = w + positions; per layer x += self_attention(norm x, causal), x += cross_attention(norm x, image),
    x += feed_forward(norm x); logits = L_o norm(x). Weights are those of the last layer, averaged over heads.

    Whole captions are read at once; `advance` keeps keys and values of the words before. A test holds both equal.

    Arguments:
        width:           D of both sides; a multiple of `heads`, and even
        vocabulary_size: V
        layers, heads, ratio, dropout: of the blocks
    Shapes: as `CaptionDecoder`; weights (B, T, P)
    Raises:
        ConfigError: fewer than one layer, or a width that heads do not divide.
    Source: Vaswani et al. 2017, decoder. Differs: pre-norm; the image tokens have a norm of their own.
    """

    def __init__(
        self,
        width: int,
        vocabulary_size: int,
        *,
        layers: int = 2,
        heads: int = 8,
        ratio: float = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if layers < 1 or heads < 1 or width % heads or width % 2:
            raise ConfigError(
                f"head 'transformer': expected at least one layer and an even width that heads divide, got layers "
                f"{layers}, heads {heads}, width {width}"
            )
        self.image_norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(_Layer(width, heads, ratio, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)
        self.logits = nn.Linear(width, vocabulary_size)

    def prepare(self, image: Tokens) -> Parts:
        """Give (valid, keys and values of each layer): the grid as each layer's cross-attention reads it."""
        values = self.image_norm(image.values)
        return image.valid, *(layer.cross_key_value(values) for layer in self._layers())

    def begin(self, memory: Parts) -> Parts:
        """Give keys and values of no word, (M, 0, 2 D), for each layer."""
        return tuple(part.new_zeros(len(part), 0, part.shape[2]) for part in memory[1:])

    def advance(self, word: Tensor, memory: Parts, state: Parts) -> Step:
        """Read words (M, D), which follow those of the state."""
        features, weights, state = self._run(word[:, None], memory, state)
        return Step(features[:, 0], weights[:, 0], state)

    def teach(self, text: Tokens, memory: Parts) -> CaptionLogits:
        """Read the words (B, T, D) at once."""
        features, weights, _ = self._run(text.values, memory, self.begin(memory))
        return CaptionLogits(self.read(features), weights)

    def read(self, features: Tensor) -> Tensor:
        """Give logits (..., V)."""
        return cast(Tensor, self.logits(self.norm(features)))

    def _run(self, words: Tensor, memory: Parts, state: Parts) -> tuple[Tensor, Tensor, Parts]:
        before, count = state[0].shape[1], words.shape[1]
        places = sinusoid_1d(before + count, words.shape[2], device=words.device)[before:]
        values = self.dropout(words + places.to(words.dtype))
        kept, weights = [], words
        for layer, image, past in zip(self._layers(), memory[1:], state, strict=True):
            values, weights, now = layer(values, image, memory[0], past)
            kept.append(now)
        return values, weights, tuple(kept)

    def _layers(self) -> list[_Layer]:
        return [cast(_Layer, layer) for layer in self.layers]


class _Layer(nn.Module):
    def __init__(self, width: int, heads: int, ratio: float, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.self_norm, self.cross_norm, self.feed_forward_norm = (nn.LayerNorm(width) for _ in range(3))
        self.self_query, self.self_key_value, self.self_out = _projections(width)
        self.cross_query, self.cross_key_value, self.cross_out = _projections(width)
        self.feed_forward = FeedForward(width, ratio=ratio, dropout=dropout)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, image: Tensor, valid: Tensor, past: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        normed = self.self_norm(x)
        key_value = self.self_key_value(normed)
        key_value = torch.cat([past.to(key_value.dtype), key_value], 1)
        query = self._split(self.self_query(normed))
        key, value = map(self._split, key_value.chunk(2, -1))
        # One word sees all before it; several come only without any before them.
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=x.shape[1] > 1)
        x = x + self.dropout(self.self_out(attended.transpose(1, 2).flatten(2)))
        query = self._split(self.cross_query(self.cross_norm(x)))
        key, value = map(self._split, image.chunk(2, -1))
        weights = attention_weights(query, key, valid)
        x = x + self.dropout(self.cross_out((weights @ value).transpose(1, 2).flatten(2)))
        return x + self.feed_forward(self.feed_forward_norm(x)), weights.float().mean(1), key_value

    def _split(self, values: Tensor) -> Tensor:
        return values.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def _projections(width: int) -> tuple[nn.Linear, nn.Linear, nn.Linear]:
    found = nn.Linear(width, width), nn.Linear(width, 2 * width), nn.Linear(width, width)
    for layer in found:
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    return found
