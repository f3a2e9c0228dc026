"""Pre-norm transformer blocks: feed-forward, self-attention and cross-attention."""

from __future__ import annotations

from torch import Tensor, nn

from plait.nn.attention import MultiHeadAttention
from plait.nn.dropout import Dropout

__all__ = ["CrossBlock", "FeedForward", "SelfBlock", "padded"]


class FeedForward(nn.Module):
    """Transform each token by itself: widen, GELU, narrow.

    Shapes: (..., D) float -> (..., D) float.

    Arguments:
        width:   D
        ratio:   hidden width / D
        dropout: part of the outputs set to 0 in training
    Source: Vaswani et al. 2017, section 3.3. Differs: GELU instead of ReLU.
    """

    def __init__(self, width: int, *, ratio: float = 4, dropout: float = 0.0) -> None:
        super().__init__()
        hidden = max(1, round(width * ratio))
        self.widen = nn.Linear(width, hidden)
        self.act = nn.GELU()
        self.narrow = nn.Linear(hidden, width)
        self.dropout = Dropout(dropout)

    def forward(self, values: Tensor) -> Tensor:
        """Transform (..., D) -> (..., D)."""
        narrowed: Tensor = self.dropout(self.narrow(self.act(self.widen(values))))
        return narrowed


class SelfBlock(nn.Module):
    """Let the tokens of one side attend to each other.

    Formula: x + attention(norm x), then x + feed_forward(norm x).

    Arguments:
        width, heads, ratio, dropout: as `MultiHeadAttention` and `FeedForward`
    Source: Xiong et al. 2020 (pre-norm). Differs: nothing known.
    """

    def __init__(self, width: int, *, heads: int = 8, ratio: float = 4, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = MultiHeadAttention(width, heads=heads, dropout=dropout)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, ratio=ratio, dropout=dropout)

    def forward(self, values: Tensor, valid: Tensor) -> Tensor:
        """Let (B, N, D) tokens attend to those of them that are `valid` (B, N); returns (B, N, D), 0 at padding."""
        if bool(valid.all()):
            normed = self.norm(values)
            values = values + self.attention(normed, normed, valid)[0]
            mixed: Tensor = values + self.feed_forward(self.feed_forward_norm(values))
            return mixed
        real = values[valid]
        real = real + self.attention.self_attend(self.norm(real), valid)
        real = real + self.feed_forward(self.feed_forward_norm(real))
        return padded(real, valid)


class CrossBlock(nn.Module):
    """Let the tokens of one side attend to those of the other.

    Formula: x + attention(norm x, norm key), then x + feed_forward(norm x).

    Arguments:
        width, heads, ratio, dropout: as `MultiHeadAttention` and `FeedForward`
    Source: Vaswani et al. 2017 with pre-norm. Differs: the keys have a norm of their own, so that encoders of any
        scale can be attended to; there is no self-attention here, for which `SelfBlock` is put before it.
    """

    def __init__(self, width: int, *, heads: int = 8, ratio: float = 4, dropout: float = 0.0) -> None:
        super().__init__()
        self.query_norm = nn.LayerNorm(width)
        self.key_norm = nn.LayerNorm(width)
        self.attention = MultiHeadAttention(width, heads=heads, dropout=dropout)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, ratio=ratio, dropout=dropout)

    def forward(
        self, query: Tensor, key: Tensor, key_valid: Tensor, *, weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Let (B, Q, D) queries attend to (B, K, D) keys where `key_valid` (B, K).

        Returns: (B, Q, D) and, if `weights`, (B, heads, Q, K), else None.
        """
        found, maps = self.attention(self.query_norm(query), self.key_norm(key), key_valid, weights=weights)
        values = query + found
        return values + self.feed_forward(self.feed_forward_norm(values)), maps

    def forward_rows(self, query: Tensor, query_valid: Tensor, key: Tensor, key_valid: Tensor, row: Tensor) -> Tensor:
        """Let queries (M, Q, D) attend to the keys of their `row` (M,), keys (B, K, D) projected once; no padding.

        Returns: (M, Q, D), what `forward(query, key[row], key_valid[row])` gives where `query_valid` (M, Q) is True,
        and 0 elsewhere.
        """
        real = query[query_valid][:, None]  # one query per row: padding costs nothing
        row = row.repeat_interleave(query_valid.sum(1))
        found, _ = self.attention(self.query_norm(real), self.key_norm(key), key_valid, row=row)
        values = real + found
        values = values + self.feed_forward(self.feed_forward_norm(values))
        return padded(values[:, 0], query_valid)


def padded(real: Tensor, valid: Tensor) -> Tensor:
    """Put real tokens (R, D) where `valid` (B, N) is True: (B, N, D), 0 elsewhere."""
    return real.new_zeros(*valid.shape, real.shape[-1]).index_put((valid,), real)
