"""Attention: weights as a pure function, a fast path that equals them, and the multi-head module."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plait.core.checks import check_mask, check_shapes
from plait.core.errors import ConfigError, ShapeError
from plait.nn.dropout import Dropout

__all__ = ["MultiHeadAttention", "attend", "attend_rows", "attention_weights"]

# On two AVX2 cores, 8 heads of 32, forward and backward, batch 128: at Q x K = 12 x 49 the plain path takes half the
# time of PyTorch's fused kernel, at 12 x 196 both are equal, at 49 x 196 the fused one takes half, at 196 x 196 less.
FUSED_FROM_WEIGHTS_COUNT = 2048


def _row_mask(key_valid: Tensor, ndim: int) -> Tensor:
    """Shape (B, K) so that it broadcasts over (B, ..., Q, K)."""
    return key_valid.reshape(key_valid.shape[0], *([1] * (ndim - 2)), key_valid.shape[-1])


def _check(query: Tensor, key: Tensor, key_valid: Tensor) -> None:
    check_shapes(("query", query, "B ... Q D"), ("key", key, "B ... K D"), ("key_valid", key_valid, "B K"))
    check_mask("key_valid", key_valid)


def attention_weights(query: Tensor, key: Tensor, key_valid: Tensor) -> Tensor:
    """Weight each real key for each query by scaled dot product.

    Formula: softmax over K of (query . key) / sqrt(D); keys that are not real get weight 0.

    Shapes:
        query:     (B, ..., Q, D) float; between B and Q any dimensions, such as heads
        key:       (B, ..., K, D) float
        key_valid: (B, K) bool, True = real token
        returns:   (B, ..., Q, K) float in [0, 1]; each row sums to 1, or is 0 throughout if no key is real
    Units: none. The softmax runs in float32 (float64 for float64) and is cast back.
    Raises:
        ShapeError: D of query and key differ, or B or K of key_valid differs, or the mask is not bool.
    Source: Vaswani et al. 2017, section 3.2.1. Differs: a row without real keys gives zeros, not NaN.
    Relations: `attend` gives the weighted values without keeping the weights; a test holds both equal.
    Example:
        >>> attention_weights(torch.zeros(1, 1, 2), torch.zeros(1, 3, 2), torch.tensor([[True, True, False]]))
        tensor([[[0.5000, 0.5000, 0.0000]]])
    """
    _check(query, key, key_valid)
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    if scores.dtype in (torch.bfloat16, torch.float16):
        scores = scores.float()
    valid = _row_mask(key_valid, scores.ndim)
    # The lowest finite number, not -inf: a row without real keys then stays finite in the gradient as well.
    weights = scores.masked_fill(~valid, torch.finfo(scores.dtype).min).softmax(-1)
    return (weights * valid).to(query.dtype)


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_valid: Tensor,
    *,
    path: Literal["auto", "plain", "fused"] = "auto",
) -> Tensor:
    """Average the values of the real keys, weighted for each query by scaled dot product.

    Formula: attention_weights(query, key, key_valid) @ value.

    Shapes:
        query:     (B, ..., Q, D) float
        key:       (B, ..., K, D) float
        value:     (B, ..., K, V) float
        key_valid: (B, K) bool, True = real token
        returns:   (B, ..., Q, V) float; 0 for a query without real keys
    Units: `path` picks the arithmetic: "plain" (the weights, then a product), "fused" (PyTorch's kernel, which keeps
        no weights) or "auto", the faster of the two by Q x K on a CPU and "fused" elsewhere.
    Raises:
        ShapeError: shapes do not fit, or the mask is not bool.
    Source: Vaswani et al. 2017, section 3.2.1. Differs: a row without real keys gives zeros, not NaN.
    Relations: equal to the formula on every path up to rounding, which a test holds.
    """
    _check(query, key, key_valid)
    check_shapes(("key", key, "B ... K D"), ("value", value, "B ... K V"))
    if path == "auto":
        is_small = query.shape[-2] * key.shape[-2] < FUSED_FROM_WEIGHTS_COUNT
        path = "plain" if is_small and query.device.type == "cpu" else "fused"
    if path == "plain":
        return attention_weights(query, key, key_valid) @ value
    valid = _row_mask(key_valid, query.ndim)
    has_key = valid.any(-1, keepdim=True)
    # A row without real keys attends to all of them and is then set to 0: never a softmax over nothing.
    mask = (valid | ~has_key).expand(*query.shape[:-1], key.shape[-2])
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask) * has_key


def attend_rows(query: Tensor, key: Tensor, value: Tensor, key_valid: Tensor, row: Tensor) -> Tensor:
    """Attend where several rows of queries share one row of keys: `attend` without copying keys for each of them.

    Formula: attend(query, key[row], value[row], key_valid[row]), to which it is equal up to rounding.

    Shapes:
        query:     (M, Q, heads, D) float; heads last but one, as a projection leaves them
        key:       (B, K, heads, D) float
        value:     (B, K, heads, V) float
        key_valid: (B, K) bool, True = real token
        row:       (M,) int64 in [0, B): the row of keys that each row of queries attends to
        returns:   (M, Q, heads, V) float; 0 for a query without real keys
    Units: the queries of a row of keys are laid end to end, so that each group is one product per head. Fastest where
        `row` is sorted.
    Raises:
        ShapeError: shapes do not fit, or the mask is not bool.
    Source: none; algebra of Vaswani et al. 2017, section 3.2.1.
    """
    check_shapes(
        ("query", query, "M Q H D"),
        ("key", key, "B K H D"),
        ("value", value, "B K H V"),
        ("key_valid", key_valid, "B K"),
        ("row", row, "M"),
    )
    order = None
    if bool((row[1:] < row[:-1]).any()):
        order = row.argsort(stable=True)
        query, row = query[order], row[order]
    used, counts = row.unique_consecutive(return_counts=True)
    chosen = used.tolist()
    found = []
    keys, values, valid = key.unbind(0), value.unbind(0), key_valid.unbind(0)
    for b, group in zip(chosen, query.split(counts.tolist()), strict=True):
        laid = group.flatten(0, 1).transpose(0, 1)[None]  # (1, heads, n * Q, D)
        attended = attend(laid, keys[b].transpose(0, 1)[None], values[b].transpose(0, 1)[None], valid[b][None])
        found.append(attended[0].transpose(0, 1))
    out = torch.cat(found).unflatten(0, (len(row), -1)) if found else query.new_zeros(*query.shape[:3], value.shape[3])
    if order is None:
        return out
    back = torch.empty_like(order)
    back[order] = torch.arange(len(order), device=order.device)
    return out[back]


class MultiHeadAttention(nn.Module):
    """Let queries attend to keys through several learned projections.

    Formula: out(concat over heads of attend(query W_q, key W_k, key W_v)).

    Arguments:
        width:     D of queries and outputs; a multiple of `heads`
        heads:     number of projections, each width / heads wide
        dropout:   part of the outputs set to 0 in training
        key_width: D of the keys, where it differs
    Raises:
        ConfigError: width is not a multiple of heads.
    Source: Vaswani et al. 2017, section 3.2.2. Differs: dropout acts on the output, not on the weights, so that the
        weights returned are the ones used and both computing paths agree in training as well.
    """

    def __init__(self, width: int, *, heads: int = 8, dropout: float = 0.0, key_width: int | None = None) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise ConfigError(f"width should be a multiple of heads, got width {width} and heads {heads}; change one")
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width if key_width is None else key_width, 2 * width)
        self.out = nn.Linear(width, width)
        self.dropout = Dropout(dropout)
        for layer in (self.query, self.key_value, self.out):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self, query: Tensor, key: Tensor, key_valid: Tensor, *, row: Tensor | None = None, weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Attend to the keys.

        Shapes:
            query:     (B, Q, D) float; (M, Q, D) with `row`
            key:       (B, K, key_width) float
            key_valid: (B, K) bool, True = real token
            row:       (M,) int64, or None: queries m attend to the keys of row[m]; each row of keys is projected once
            returns:   (B or M, Q, D) float and, if `weights`, (B or M, heads, Q, K) float whose rows sum to 1 over real
                       keys
        Raises:
            ShapeError: shapes do not fit, or the mask is not bool.
        """
        if row is None:
            check_shapes(("query", query, "B Q D"), ("key", key, "B K E"), ("key_valid", key_valid, "B K"))
        queries = self.query(query).unflatten(-1, (self.heads, -1))
        keys, values = (part.unflatten(-1, (self.heads, -1)) for part in self.key_value(key).chunk(2, dim=-1))
        if row is not None:
            if weights:
                raise ShapeError("attention maps need aligned rows: repeat the keys, or leave out `row` or `weights`")
            return self.dropout(self.out(attend_rows(queries, keys, values, key_valid, row).flatten(2))), None
        queries, keys, values = (part.transpose(1, 2) for part in (queries, keys, values))
        maps: Tensor | None = None
        if weights:
            maps = attention_weights(queries, keys, key_valid)
            attended = maps @ values
        else:
            attended = attend(queries, keys, values, key_valid)
        return self.dropout(self.out(attended.transpose(1, 2).flatten(2))), maps

    def self_attend(self, real: Tensor, valid: Tensor) -> Tensor:
        """Let real tokens attend to those of their own row; padding is left out of every projection.

        Shapes:
            real:    (R, D) float, the R real tokens of all rows, row by row
            valid:   (B, N) bool with R True entries: the places of the rows
            returns: (R, D) float, `forward(x, x, valid)` at the real tokens of the padded x
        """
        projected = torch.cat([self.query(real), self.key_value(real)], -1)
        padded = projected.new_zeros(*valid.shape, projected.shape[-1])
        padded = padded.index_put((valid,), projected).unflatten(-1, (3, self.heads, -1))
        queries, keys, values = padded.permute(2, 0, 3, 1, 4)
        attended = attend(queries, keys, values, valid).transpose(1, 2).flatten(2)
        return self.dropout(self.out(attended[valid]))
