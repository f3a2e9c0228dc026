"""Scores of all pairs at once: every query of every x against every y, by algebra instead of expansion.

The similarities of all queries with all keys are one matrix product. Stacked attention is computed from them without
further vectors of width D: q . context = sum_k w_k (q . k), and |context|^2 = w^T G w with G the keys' Gram matrix.
The (X, Y, Q, D) contexts are never computed. Work goes tile by tile, forward and backward, within a memory budget.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from plait.core.checks import check_mask, check_shapes
from plait.core.errors import ConfigError, UnknownNameError
from plait.nn.tiles import AllPairs, Best, Rule, Stacked, plan_tiles

__all__ = [
    "BUDGET_BYTES",
    "Pool",
    "cosine_similarities",
    "max_similarities",
    "pool_similarities",
    "stacked_similarities",
    "unit_vectors",
]

Pool = Literal["mean", "sum", "lse"]
BUDGET_BYTES = 256 * 2**20
SHORTEST = 1e-12


def unit_vectors(values: Tensor, valid: Tensor | None = None) -> Tensor:
    """Scale vectors to length 1, in float32 at least.

    Shapes:
        values:  (..., D) float
        valid:   (...) bool, True = real, or None for all
        returns: (..., D) float32 (float64 for float64) of length 1; 0 where a vector is not real or shorter than 1e-12,
            and no gradient flows there: a vector without length has no direction
    """
    values = values if values.dtype == torch.float64 else values.float()
    length = torch.linalg.vector_norm(values, dim=-1, keepdim=True)
    if not bool(torch.isfinite(length.detach()).all()):
        # Rare, and slower: entries near the end of float32's range overflow when squared, so scale them first; and
        # padding may hold anything. NaN in a real vector stays NaN, so that the caller notices it.
        largest = values.detach().abs().amax(-1, keepdim=True)
        unused = largest <= SHORTEST if valid is None else (largest <= SHORTEST) | ~valid[..., None]
        values = (values / largest.masked_fill(unused, 1.0)).masked_fill(unused, 0.0)
        length = torch.linalg.vector_norm(values, dim=-1, keepdim=True)
    unused = length <= SHORTEST if valid is None else (length <= SHORTEST) | ~valid[..., None]
    return values * length.masked_fill(unused, 1.0).reciprocal().masked_fill(unused, 0.0)


def cosine_similarities(text: Tensor, image: Tensor) -> Tensor:
    """Compare every image's vector with every text's vector.

    Formula: image . text / (|image| |text|).

    Shapes:
        text:    (C, D) float
        image:   (B, D) float
        returns: (B, C) float in [-1, 1]: row = image, column = text; 0 where a vector is 0
    Raises:
        ShapeError: D differs.
    Example:
        >>> cosine_similarities(torch.tensor([[2.0, 0.0], [3.0, 3.0]]), torch.tensor([[1.0, 0.0]]))
        tensor([[1.0000, 0.7071]])
    """
    check_shapes(("text", text, "C D"), ("image", image, "B D"))
    return unit_vectors(image) @ unit_vectors(text).T


def _all_pairs(
    query: Tensor, query_valid: Tensor, key: Tensor, key_valid: Tensor, rule: Rule, budget_bytes: int
) -> Tensor:
    check_shapes(
        ("query", query, "X Q D"),
        ("query_valid", query_valid, "X Q"),
        ("key", key, "Y K D"),
        ("key_valid", key_valid, "Y K"),
    )
    check_mask("query_valid", query_valid)
    check_mask("key_valid", key_valid)
    kind = query.device.type
    product = query.dtype
    if torch.is_autocast_enabled(kind) and query.dtype != torch.float64:  # autocast leaves float64 as it is
        product = torch.get_autocast_dtype(kind)
    with torch.autocast(kind, enabled=False):
        queries = unit_vectors(query, query_valid)
        keys = unit_vectors(key, key_valid)
        plan = plan_tiles(
            query_valid, key_valid, width=query.shape[-1], item_bytes=queries.element_size(), budget_bytes=budget_bytes
        )
        similarities: Tensor = AllPairs.apply(queries, keys, key_valid, rule, plan, product)
    return similarities


def stacked_similarities(
    query: Tensor,
    query_valid: Tensor,
    key: Tensor,
    key_valid: Tensor,
    *,
    temperature: float,
    budget_bytes: int = BUDGET_BYTES,
) -> Tensor:
    """Compare every query of every x with what it attends to in every y (stacked cross-attention).

    Formula: s_qk = cos(query_q, key_k); a = leaky_relu(s, 0.1), divided for each key by its l2 norm over the queries of
    that x; w = softmax over keys of temperature * a; result_q = cos(query_q, sum_k w_qk key_k), keys of length 1.
    With words as queries this is SCAN's text-to-image (temperature 9), with regions as queries image-to-text (4).

    Shapes:
        query:       (X, Q, D) float
        query_valid: (X, Q) bool, True = real
        key:         (Y, K, D) float
        key_valid:   (Y, K) bool, True = real
        returns:     (X, Y, Q) float32 (float64 for float64) in [-1, 1]; 0 at padding, and where y has no real key
    Units: budget_bytes bounds the intermediates of forward and backward, beside inputs, gradients and the result; it
        may be exceeded only if a single pair (x, y) does not fit. The big product runs in the autocast's type, or the
        queries' if that is 16 bits wide; all else, norms above all, in float32.
    Raises:
        ShapeError: shapes do not fit, or a mask is not bool.
        ConfigError: temperature or budget_bytes is not above 0.
    Source: Lee et al. 2018 (SCAN), equations 1 to 4 with the clipped l2 norm of the published code. Differs: the
        softmax's denominator cancels in the cosine and is left out; a norm over queries is at least 1e-6, not plus
        1e-8; a context shorter than about 1e-4 keeps that length as denominator, so that its gradient stays finite.
    Gradient: once differentiable, to query and key; nothing but the unit vectors is kept, tiles are computed again.
    """
    if not temperature > 0:
        raise ConfigError(f"temperature should be above 0, got {temperature}; SCAN uses 9 for words and 4 for regions")
    return _all_pairs(query, query_valid, key, key_valid, Stacked(float(temperature)), budget_bytes)


def max_similarities(
    query: Tensor, query_valid: Tensor, key: Tensor, key_valid: Tensor, *, budget_bytes: int = BUDGET_BYTES
) -> Tensor:
    """Compare every query of every x with its most similar key in every y (late interaction).

    Formula: result_q = max over real keys of cos(query_q, key_k).

    Shapes, units, errors: as `stacked_similarities`.
    Source: Khattab and Zaharia 2020 (ColBERT). Differs: gives the maxima, which `pool_similarities` then sums.
    Gradient: to the first of the best keys where several tie.
    """
    return _all_pairs(query, query_valid, key, key_valid, Best(), budget_bytes)


def pool_similarities(values: Tensor, valid: Tensor, *, pool: Pool = "mean", lse_scale: float = 6.0) -> Tensor:
    """Pool the similarities of a pair's queries to one score.

    Formula: "mean" and "sum" over real queries; "lse" = log(sum over real queries of exp(scale * s)) / scale, which
    is between the maximum and the maximum + log(Q) / scale.

    Shapes:
        values:  (..., Q) float
        valid:   bool, broadcastable to values, True = real
        returns: (...) float; 0 where no query is real
    Units: those of the similarities; lse_scale is 1 / similarity.
    Raises:
        UnknownNameError: pool is none of the three.
        ConfigError: lse_scale is not above 0.
        ShapeError: the mask is not bool.
    Source: Lee et al. 2018, equations 5 and 6 (scale 6 for text-to-image, 5 for image-to-text in their code).
    Example:
        >>> pool_similarities(torch.tensor([0.5, 0.1, 0.9]), torch.tensor([True, True, False]))
        tensor(0.3000)
    """
    check_mask("valid", valid)
    if pool not in ("mean", "sum", "lse"):
        raise UnknownNameError("pool", pool, ("mean", "sum", "lse"))
    if pool == "lse":
        if not lse_scale > 0:
            raise ConfigError(f"lse_scale should be above 0, got {lse_scale}; SCAN uses 6 for words")
        masked = (values * lse_scale).masked_fill(~valid, torch.finfo(values.dtype).min)
        return (masked.logsumexp(-1) / lse_scale).masked_fill(~valid.any(-1), 0.0)
    total = values.masked_fill(~valid, 0.0).sum(-1)
    if pool == "sum":
        return total
    return total / valid.sum(-1).clamp(min=1)
