"""What the rungs are made of: attention apart, attention shared by both directions, heads, and a gated feed-forward."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plait.core.errors import ConfigError
from plait.core.types import AttentionMap, Fused, Tokens
from plait.fusion.base.pairs import PairFusion, rows_of
from plait.nn.attention import attend, attention_weights
from plait.nn.dropout import Dropout

__all__ = ["GatedFeed", "Met", "Rung", "check_heads", "joined", "read", "shared_weights", "split"]


class Met(NamedTuple):
    """What a rung makes of prepared pairs.

    Fields:
        words:   (M, T, D) float, text_out
        regions: (M, P, D) float, image_out
        t2i:     weights of regions for each word, (M, heads, T, P), one a level, if asked for
        i2t:     weights of words for each region, (M, heads, P, T), likewise
    """

    words: Tensor
    regions: Tensor
    t2i: tuple[Tensor, ...] = ()
    i2t: tuple[Tensor, ...] = ()


class Rung(PairFusion):
    """One rung: each side is prepared alone (norms, projections), then words and regions of a pair attend.

    Formula: (text_out, image_out) = attended(text_side(text), image_side(image)).

    A subclass writes `attended` and, where a side is normed or projected first, `text_side` and `image_side`; what
    they return lies side by side in the last dimension of one tensor, so that choosing pairs is one copy a side.
    """

    def text_side(self, values: Tensor) -> Tensor:
        """Prepare words: (C, T, D) -> (C, T, any width)."""
        return values

    def image_side(self, values: Tensor) -> Tensor:
        """Prepare regions: (B, P, D) -> (B, P, any width)."""
        return values

    @abstractmethod
    def attended(self, words: Tensor, real_words: Tensor, regions: Tensor, real_regions: Tensor, maps: bool) -> Met:
        """Let prepared words (M, T, ...) and regions (M, P, ...) attend; masks (M, T) and (M, P), True = real."""

    def prepare(self, text: Tokens, image: Tokens) -> tuple[Tokens, Tokens]:
        """Norm and project each side by itself, once a row."""
        return (
            replace(text, values=self.text_side(text.values), pooled=None),
            replace(image, values=self.image_side(image.values), pooled=None),
        )

    def meet(
        self,
        text: Tokens,
        image: Tokens,
        *,
        text_row: Tensor | None = None,
        image_row: Tensor | None = None,
        maps: bool = False,
    ) -> Fused:
        """Let the sides attend to each other, pair by pair; see the class."""
        text, image = rows_of(text, text_row), rows_of(image, image_row)
        met = self.attended(text.values, text.valid, image.values, image.valid, maps)
        shown = [AttentionMap(w, "text", "image", level) for level, w in enumerate(met.t2i)]
        shown += [AttentionMap(w, "image", "text", level) for level, w in enumerate(met.i2t)]
        return Fused(replace(text, values=met.words), replace(image, values=met.regions), tuple(shown))


class GatedFeed(nn.Module):
    """Transform each token by itself: one half of a widened token gates the other.

    Formula: W3 (drop(gelu(W1 x + b1)) * drop(gelu(W2 x + b2))) + b3, then dropout.

    Arguments:
        width:   D
        ratio:   hidden width / D
        dropout: part set to 0 in training
    Shapes: (..., D) float -> (..., D) float.
    Source: the chapter's v9; Shazeer 2020 for gated layers, where one half has no GELU. Differs: W1 and W2 are one
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


def check_heads(name: str, width: int, heads: int) -> int:
    """Give `heads` if it divides the width.

    Raises:
        ConfigError: it does not.
    """
    if heads < 1 or width % heads:
        raise ConfigError(f"fusion {name!r}, heads: expected a divisor of the width {width}, got {heads}")
    return heads


def split(values: Tensor, heads: int) -> Tensor:
    """Cut the width into heads: (M, N, D) -> (M, heads, N, D / heads)."""
    return values.unflatten(-1, (heads, -1)).transpose(1, 2)


def joined(values: Tensor) -> Tensor:
    """Lay heads side by side again: (M, heads, N, d) -> (M, N, heads * d)."""
    return values.transpose(1, 2).flatten(2)


def read(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_valid: Tensor,
    *,
    dropout: Dropout | None = None,
    maps: bool = False,
) -> tuple[Tensor, tuple[Tensor, ...]]:
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


def shared_weights(regions: Tensor, words: Tensor, real_regions: Tensor, real_words: Tensor) -> tuple[Tensor, Tensor]:
    """Weights of both directions from one matrix: for regions its rows, for words its columns.

    Formula: A = softmax over words of (r . w) / sqrt(D); A^T_wr = A_rw / sum over real regions of A_rw.

    Shapes:
        regions:      (M, ..., P, D) float
        words:        (M, ..., T, D) float
        real_regions: (M, P) bool; real_words: (M, T) bool; True = real
        returns:      A (M, ..., P, T) and A^T (M, ..., T, P), both in [0, 1]; rows sum to 1 over real keys and are 0
                      where no key is real, and padding has weight 0 in both directions
    Units: float32 at least inside; columns are divided in logarithms, so none vanishes by underflow.
    Source: the chapter's v1 to v7 take A^T as it is. Differs: its rows are divided by their sums, or a word's output
    would grow with the number of regions and shrink with the number of words, and padding would count. One token a side
    has A = A^T = 1 either way.
    """
    scores = (regions * regions.shape[-1] ** -0.5) @ words.transpose(-1, -2)
    if scores.dtype in (torch.bfloat16, torch.float16):
        scores = scores.float()
    gap = [1] * (scores.ndim - 2)
    real_words = real_words.reshape(len(real_words), *gap, -1)
    real_regions = real_regions.reshape(len(real_regions), *gap[1:], -1, 1)
    lowest = torch.finfo(scores.dtype).min
    logs = scores.masked_fill(~real_words, lowest).log_softmax(-1)
    rows = logs.exp() * real_words
    columns = logs.masked_fill(~real_regions, lowest).softmax(-2) * real_regions
    return rows.to(words.dtype), columns.transpose(-1, -2).to(words.dtype)
