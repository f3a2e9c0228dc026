"""From many tokens to one vector: mean, maximum, attention and the learned generalised pool."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from plait.core.checks import check_mask, check_shapes
from plait.core.types import Tokens
from plait.nn.attention import MultiHeadAttention
from plait.nn.positions import sinusoid_1d

__all__ = ["AttentionPool", "GeneralisedPool", "masked_max", "masked_mean", "single_token"]


def _check(values: Tensor, valid: Tensor) -> None:
    check_shapes(("values", values, "B N D"), ("valid", valid, "B N"))
    check_mask("valid", valid)


def masked_mean(values: Tensor, valid: Tensor) -> Tensor:
    """Average the real tokens.

    Shapes:
        values:  (B, N, D) float
        valid:   (B, N) bool, True = real token
        returns: (B, D) float; 0 where no token is real
    Raises:
        ShapeError: shapes do not fit, or the mask is not bool.
    Example:
        >>> masked_mean(torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([[True, True, False]]))
        tensor([[2.]])
    """
    _check(values, valid)
    count = valid.sum(1, keepdim=True).clamp(min=1)
    return values.masked_fill(~valid[..., None], 0.0).sum(1) / count


def masked_max(values: Tensor, valid: Tensor) -> Tensor:
    """Take the maximum of the real tokens, column by column.

    Shapes:
        values:  (B, N, D) float
        valid:   (B, N) bool, True = real token
        returns: (B, D) float; 0 where no token is real
    Raises:
        ShapeError: shapes do not fit, or the mask is not bool.
    """
    _check(values, valid)
    lowest = torch.finfo(values.dtype).min
    highest = values.masked_fill(~valid[..., None], lowest).amax(1)
    return highest.masked_fill(~valid.any(1, keepdim=True), 0.0)


class AttentionPool(nn.Module):
    """Read the tokens with one learned query.

    Arguments:
        width: D
        heads: of the attention; width is a multiple of it
    Source: Lee et al. 2019 (Set Transformer), section 3.2, with one seed. Differs: pre-norm, no feed-forward.
    """

    def __init__(self, width: int, *, heads: int = 8) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(1, 1, width) * width**-0.5)
        self.norm = nn.LayerNorm(width)
        self.attention = MultiHeadAttention(width, heads=heads)

    def forward(self, values: Tensor, valid: Tensor) -> Tensor:
        """Pool (B, N, D) tokens where `valid` (B, N) to (B, D); 0 where no token is real."""
        _check(values, valid)
        query = self.query.expand(len(values), -1, -1)
        pooled: Tensor = self.attention(query, self.norm(values), valid)[0][:, 0]
        # The output projection has a bias, which a row without tokens must not show.
        return pooled.masked_fill(~valid.any(1, keepdim=True), 0.0)


class GeneralisedPool(nn.Module):
    """Learn how to weight the sorted values of each column: mean, maximum and what lies between are special cases.

    Formula: sum over k of w_k (k-th largest real value of the column); w = softmax over the real places k of
    s_k / temperature; s = linear(two-way GRU over the sinusoids of k).

    Arguments:
        position_width: of the sinusoids
        hidden:         of the GRU, each way
        temperature:    divides the places' scores
    Source: Chen et al. 2021, "Learning the best pooling strategy for visual semantic embedding", section 4. Differs:
        w depends on the number of real tokens only, so the GRU runs once a distinct number instead of once a row; the
        two ways are read together instead of averaged.
    """

    def __init__(self, *, position_width: int = 32, hidden: int = 32, temperature: float = 0.1) -> None:
        super().__init__()
        self.position_width = position_width
        self.temperature = temperature
        self.places = nn.GRU(position_width, hidden, batch_first=True, bidirectional=True)
        self.score = nn.Linear(2 * hidden, 1, bias=False)

    def weights(self, counts: Tensor, n: int) -> Tensor:
        """Give (U, n) weights over places for (U,) int64 counts of real tokens, each in [1, n]; rows sum to 1."""
        places = sinusoid_1d(n, self.position_width, device=counts.device).to(self.score.weight.dtype)
        packed = pack_padded_sequence(
            places.expand(len(counts), -1, -1), counts.cpu(), batch_first=True, enforce_sorted=False
        )
        states, _ = pad_packed_sequence(self.places(packed)[0], batch_first=True, total_length=n)
        scores = self.score(states)[..., 0].float() / self.temperature
        is_real = torch.arange(n, device=scores.device) < counts[:, None]
        return scores.masked_fill(~is_real, torch.finfo(scores.dtype).min).softmax(1)

    def forward(self, values: Tensor, valid: Tensor) -> Tensor:
        """Pool (B, N, D) tokens where `valid` (B, N) to (B, D); 0 where no token is real."""
        _check(values, valid)
        counts, row = valid.sum(1).clamp(min=1).unique(return_inverse=True)
        weights = self.weights(counts, values.shape[1])[row].to(values.dtype)
        lowest = torch.finfo(values.dtype).min
        descending = values.masked_fill(~valid[..., None], lowest).sort(dim=1, descending=True).values
        is_real = torch.arange(values.shape[1], device=values.device) < valid.sum(1, keepdim=True)
        return (descending.masked_fill(~is_real[..., None], 0.0) * weights[..., None]).sum(1)


def single_token(tokens: Tokens) -> Tokens:
    """Put the mean of the real tokens in their place: N becomes 1, grid and boxes go, `pooled` stays."""
    return Tokens(
        values=masked_mean(tokens.values, tokens.valid)[:, None],
        valid=tokens.valid.any(1, keepdim=True),
        pooled=tokens.pooled,
    )
