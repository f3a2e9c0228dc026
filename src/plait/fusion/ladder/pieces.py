"""What the ladder's versions share: one matrix for both directions, attention by heads, and a gated feed-forward."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plait.core.errors import ConfigError
from plait.core.types import AttentionMap, Fused, Tokens
from plait.fusion.base.prepared import Parts
from plait.nn.attention import attend, attention_weights
from plait.nn.dropout import Dropout

__all__ = [
    "Attended",
    "GatedFeedForward",
    "QueryKeyValue",
    "attend_by_heads",
    "attend_shared",
    "attend_with_weights",
    "check_heads",
    "fused",
    "join_heads",
    "shared_weights",
    "split_heads",
]

Weights = tuple[Tensor, ...]


@dataclass(frozen=True)
class Attended:
    """Both sides of M pairs after they attended to each other.

    Fields:
        words:   (M, T, D) float, what each word takes from the regions
        regions: (M, P, D) float, what each region takes from the words
        t2i:     weights of regions for each word, (M, heads, T, P), one per level; empty unless requested
        i2t:     weights of words for each region, (M, heads, P, T), likewise
    """

    words: Tensor
    regions: Tensor
    t2i: Weights = ()
    i2t: Weights = ()


@dataclass(frozen=True)
class QueryKeyValue(Parts):
    """One side's tokens as queries, keys and values.

    Fields:
        query, key, value: (R, N, ...) float
    """

    query: Tensor
    key: Tensor
    value: Tensor


class GatedFeedForward(nn.Module):
    """Transform each token by itself: one half of a widened token gates the other.

    Formula: W3 (drop(gelu(W1 x + b1)) * drop(gelu(W2 x + b2))) + b3, then dropout.

    Arguments:
        width:   D
        ratio:   hidden width / D
        dropout: part set to 0 in training
    Shapes: (..., D) float -> (..., D) float.
    Source: v9 of Park 2025; Shazeer 2020 for gated layers, where one half has no GELU. Differs: W1 and W2 are one
    product, and the two dropouts of a product of halves are one with the same chance to keep, (1 - dropout)^2.
    """

    def __init__(self, width: int, *, ratio: float = 4, dropout: float = 0.1) -> None:
        super().__init__()
        hidden = max(1, round(width * ratio))
        self.widen = nn.Linear(width, 2 * hidden)
        self.narrow = nn.Linear(hidden, width)
        self.inner = Dropout(1 - (1 - dropout) ** 2)
        self.outer = Dropout(dropout)

    def forward(self, values: Tensor) -> Tensor:
        """Transform (..., D) -> (..., D)."""
        gate, value = F.gelu(self.widen(values)).chunk(2, dim=-1)
        narrowed: Tensor = self.outer(self.narrow(self.inner(gate * value)))
        return narrowed


def fused(text: Tokens, image: Tokens, t2i: Weights, i2t: Weights) -> Fused:
    """Give both fused sides (M, T, D) and (M, P, D) with the maps of both directions, level by level."""
    maps = [AttentionMap(weights, "text", "image", level) for level, weights in enumerate(t2i)]
    maps += [AttentionMap(weights, "image", "text", level) for level, weights in enumerate(i2t)]
    return Fused(text, image, tuple(maps))


def check_heads(name: str, width: int, heads: int) -> int:
    """Give `heads` if it divides the width.

    Raises:
        ConfigError: it does not.
    """
    if heads < 1 or width % heads:
        raise ConfigError(f"fusion {name!r}, heads: expected a divisor of the width {width}, got {heads}")
    return heads


def split_heads(values: Tensor, heads: int) -> Tensor:
    """Cut the width into heads: (M, N, D) -> (M, heads, N, D / heads)."""
    return values.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(values: Tensor) -> Tensor:
    """Lay heads side by side again: (M, heads, N, d) -> (M, N, heads * d)."""
    return values.transpose(1, 2).flatten(2)


def attend_with_weights(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_valid: Tensor,
    *,
    dropout: Dropout | None = None,
    maps: bool = False,
) -> tuple[Tensor, Weights]:
    """Attend by scaled dot product, with dropout on the weights.

    Shapes:
        query:     (M, ..., Q, D) float
        key:       (M, ..., K, D) float; value: (M, ..., K, V) float
        key_valid: (M, K) bool, True = real token
        returns:   (M, ..., Q, V), and a tuple of the weights (M, ..., Q, K) before dropout, empty unless `maps`
    """
    is_dropped = dropout is not None and dropout.training and dropout.p > 0
    if not maps and not is_dropped:
        return attend(query, key, value, key_valid), ()
    weights = attention_weights(query, key, key_valid)
    used = weights if dropout is None else dropout(weights)
    return used @ value, (weights,) if maps else ()


def attend_by_heads(
    text: QueryKeyValue,
    image: QueryKeyValue,
    text_valid: Tensor,
    image_valid: Tensor,
    *,
    heads: int,
    dropout: Dropout | None = None,
    maps: bool = False,
) -> Attended:
    """Let both sides attend to each other by several heads, each direction by itself.

    Shapes: text query, key, value (M, T, D), image (M, P, D) float; masks (M, T) and (M, P) bool, True = real. Returns
    `Attended` with the heads side by side: (M, T, D) and (M, P, D).
    """
    x = _split(text, heads)
    y = _split(image, heads)
    words, t2i = attend_with_weights(x.query, y.key, y.value, image_valid, dropout=dropout, maps=maps)
    regions, i2t = attend_with_weights(y.query, x.key, x.value, text_valid, dropout=dropout, maps=maps)
    return Attended(join_heads(words), join_heads(regions), t2i, i2t)


def attend_shared(words: Tensor, words_valid: Tensor, regions: Tensor, regions_valid: Tensor, maps: bool) -> Attended:
    """Let words (M, T, D) and regions (M, P, D) attend to each other by one matrix; masks (M, T) and (M, P)."""
    i2t, t2i = shared_weights(regions, words, regions_valid, words_valid)
    shown = ((t2i[:, None],), (i2t[:, None],)) if maps else ((), ())
    return Attended(t2i @ regions, i2t @ words, *shown)


def shared_weights(regions: Tensor, words: Tensor, regions_valid: Tensor, words_valid: Tensor) -> tuple[Tensor, Tensor]:
    """Weights of both directions from one matrix: for regions its rows, for words its columns.

    Formula: A = softmax over words of (r . w) / sqrt(D); A^T_wr = A_rw / sum over real regions of A_rw.

    Shapes:
        regions:       (M, ..., P, D) float
        words:         (M, ..., T, D) float
        regions_valid: (M, P) bool; words_valid: (M, T) bool; True = real
        returns:       A (M, ..., P, T) and A^T (M, ..., T, P), both in [0, 1]; rows sum to 1 over real keys and are 0
                       where no key is real, and padding has weight 0 in both directions
    Units: float32 at least inside; columns are divided in logarithms, so none vanishes by underflow.
    Source: v1 to v7 of Park 2025 take A^T as it is. Differs: its rows are divided by their sums, or a word's output
    would grow with the number of regions and shrink with the number of words, and padding would count. One token per
    side has A = A^T = 1 either way.
    """
    scores = (regions * regions.shape[-1] ** -0.5) @ words.transpose(-1, -2)
    if scores.dtype in (torch.bfloat16, torch.float16):
        scores = scores.float()
    gap = [1] * (scores.ndim - 2)
    words_valid = words_valid.reshape(len(words_valid), *gap, -1)
    regions_valid = regions_valid.reshape(len(regions_valid), *gap[1:], -1, 1)
    lowest = torch.finfo(scores.dtype).min
    logs = scores.masked_fill(~words_valid, lowest).log_softmax(-1)
    rows = logs.exp() * words_valid
    columns = logs.masked_fill(~regions_valid, lowest).softmax(-2) * regions_valid
    return rows.to(words.dtype), columns.transpose(-1, -2).to(words.dtype)


def _split(side: QueryKeyValue, heads: int) -> QueryKeyValue:
    return QueryKeyValue(*(split_heads(part, heads) for part in (side.query, side.key, side.value)))
