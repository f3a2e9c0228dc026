"""The engine under `nn/pairs`: all pairs tile by tile, with the gradient worked out by hand.

Inside a tile similarities lie as (y, K, Q, x): both reductions (over queries, over keys) then run over outer
dimensions with x contiguous, and the keys' Gram matrices multiply without a copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from plait.core.errors import ConfigError

__all__ = ["AllPairs", "Best", "Plan", "Rule", "Side", "Stacked", "plan_tiles"]

SLOPE = 0.1
SHORTEST_NORM = 1e-6
# Above this temperature exp(temperature * a), squared and summed, could leave float32; below it needs no maximum first.
SHIFT_FROM = 16.0
# A tile's similarities, 4 MB in float32: measured best on two cores between products that are large enough to be
# fast and intermediates that stay in the cache.
TILE_ELEMENTS = 2**20
TILE_X = 32
# Copies alive at once in the backward pass of `Stacked`, held by a test that counts bytes: of a tile, of its queries
# and keys, and of its keys' Gram matrices.
TILE_COPIES, SIDE_COPIES, GRAM_COPIES = 7, 5, 3


@dataclass(frozen=True)
class Side:
    """Some items of one side: their rows, and how many of their places hold anything real."""

    rows: Tensor
    length: int


@dataclass(frozen=True)
class Plan:
    """Which x and which y meet in which tile; items of like length together, so that little padding is multiplied."""

    x: tuple[Side, ...]
    y: tuple[Side, ...]


def _sides(valid: Tensor, order: Tensor, lengths: list[int], size: int) -> Iterator[Side]:
    for start in range(0, len(lengths), size):
        part = lengths[start : start + size]
        if part[-1]:
            yield Side(order[start : start + size], part[-1])


def plan_tiles(query_valid: Tensor, key_valid: Tensor, *, width: int, item_bytes: int, budget_bytes: int) -> Plan:
    """Cut (X, Q) x (Y, K) into tiles whose intermediates fit into the budget.

    Raises:
        ConfigError: budget_bytes is not above 0.
    """
    if budget_bytes <= 0:
        raise ConfigError(f"budget_bytes should be above 0, got {budget_bytes}; 256 MiB is the default")
    sides = []
    for valid in (query_valid, key_valid):
        places = torch.arange(1, valid.shape[1] + 1, device=valid.device)
        longest = (valid * places).amax(1) if valid.numel() else valid.new_zeros(len(valid), dtype=torch.int64)
        lengths, order = longest.sort()
        sides.append((valid, order, lengths.tolist()))
    q, k = (max([1, *lengths]) for _, _, lengths in sides)
    elements = budget_bytes // item_bytes
    x_size, y_size = TILE_X, 0
    while True:
        row = x_size * q
        y_size = (elements - SIDE_COPIES * row * width) // (
            k * (TILE_COPIES * row + SIDE_COPIES * width + GRAM_COPIES * k)
        )
        if y_size >= 1 or x_size == 1:
            break
        x_size //= 2
    if query_valid.device.type == "cpu":
        y_size = min(y_size, TILE_ELEMENTS // (x_size * q * k))
    y_size = max(1, y_size)
    return Plan(tuple(_sides(*sides[0], x_size)), tuple(_sides(*sides[1], y_size)))


class Rule(Protocol):
    """What becomes of a tile's similarities (y, K, Q, x): one value per query, and the way back."""

    needs_gram: bool

    def values(self, scores: Tensor, valid: Tensor | None, gram: Tensor | None) -> Tensor:
        """Give (y, Q, x) from scores (y, K, Q, x), valid (y, K, 1, 1) or None for all, gram (y, K, K)."""
        ...

    def gradients(
        self, scores: Tensor, valid: Tensor | None, gram: Tensor | None, grad: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Give the gradients of scores and gram from grad (y, Q, x)."""
        ...


@dataclass(frozen=True)
class Best:
    """The most similar real key.

    Shapes: those of `Rule`; a query's value is the largest of its K similarities, 0 where y has no real key.
    """

    needs_gram = False

    def _best(self, scores: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
        if valid is not None:
            scores = scores.masked_fill(~valid, -2.0)
        best, index = scores.max(1)
        return best.masked_fill(best < -1.5, 0.0), index

    def values(self, scores: Tensor, valid: Tensor | None, gram: Tensor | None) -> Tensor:
        return self._best(scores, valid)[0]

    def gradients(
        self, scores: Tensor, valid: Tensor | None, gram: Tensor | None, grad: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        index = self._best(scores, valid)[1]
        # A y without real keys needs no case: its keys are 0, and so is what flows to the queries.
        return torch.zeros_like(scores).scatter_(1, index[:, None], grad[:, None]), None


@dataclass(frozen=True)
class Stacked:
    """The cosine with the attended context; the formula is in `pairs.stacked_similarities`."""

    temperature: float
    needs_gram = True

    def _weights(self, scores: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
        """Give the softmax's numerators (y, K, Q, x) and 1 / norm over queries (y, K, 1, x)."""
        clipped = F.leaky_relu(scores, SLOPE)
        # Not `vector_norm`, which over a middle dimension takes ten times as long.
        inverse = clipped.square().sum(2, keepdim=True).sqrt_().clamp_(min=SHORTEST_NORM).reciprocal_()
        weights = clipped.mul_(inverse * self.temperature)
        if self.temperature > SHIFT_FROM:
            if valid is not None:
                weights.masked_fill_(~valid, -2 * self.temperature)
            weights.sub_(weights.amax(1, keepdim=True))
        weights.exp_()
        if valid is not None:
            weights.mul_(valid)
        return weights, inverse

    def _norms(self, weights: Tensor, gram: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Give G w (y, K, Q, x), and (y, Q, x): |context|, sum of weights, whether the context has a length."""
        spread = torch.bmm(gram, weights.flatten(2)).view_as(weights)
        squared = (spread * weights).sum(1)
        total = weights.sum(1)
        lowest = total.square().mul_(torch.finfo(weights.dtype).eps / 10)
        is_long = squared > lowest
        # A y without real keys has weights 0 throughout; any denominator but 0 gives its value, 0.
        tiny = torch.finfo(weights.dtype).tiny
        return spread, torch.maximum(squared, lowest).clamp_(min=tiny).sqrt_(), total.clamp_(min=tiny**0.5), is_long

    def values(self, scores: Tensor, valid: Tensor | None, gram: Tensor | None) -> Tensor:
        assert gram is not None
        weights, _ = self._weights(scores, valid)
        _, norm, _, _ = self._norms(weights, gram)
        return weights.mul_(scores).sum(1).div_(norm)

    def gradients(
        self, scores: Tensor, valid: Tensor | None, gram: Tensor | None, grad: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        assert gram is not None
        weights, inverse = self._weights(scores, valid)
        spread, norm, total, is_long = self._norms(weights, gram)
        to_product = grad / norm
        to_norm = to_product * ((weights * scores).sum(1) / norm)
        # result = product / norm; norm^2 = w^T G w, or where that is too short, a constant times the sum of weights.
        to_squared = (to_norm / norm).mul_(-0.5).masked_fill_(~is_long, 0.0)
        to_total = (to_norm / total).neg_().masked_fill_(is_long, 0.0)
        pulled = weights * to_squared[:, None]
        to_gram = torch.bmm(pulled.flatten(2), weights.flatten(2).transpose(1, 2))
        del pulled
        to_weights = spread.mul_((2 * to_squared)[:, None]).addcmul_(scores, to_product[:, None])
        to_weights.add_(to_total[:, None])
        # Through the exponential, whose shift cancels, to the normalised similarities.
        to_attention = to_weights.mul_(weights).mul_(self.temperature)
        to_scores = weights.mul_(to_product[:, None])
        clipped = F.leaky_relu(scores, SLOPE)
        along = (to_attention * clipped).sum(2, keepdim=True).mul_(inverse**3)
        # At the shortest norm the divisor is a constant.
        along.masked_fill_(inverse >= 1 / SHORTEST_NORM, 0.0)
        to_clipped = to_attention.mul_(inverse).addcmul_(clipped, along, value=-1.0)
        del clipped
        return to_scores.add_(torch.where(scores > 0, to_clipped, to_clipped * SLOPE)), to_gram


class AllPairs(torch.autograd.Function):
    """Run a rule over all tiles; keep only the unit vectors and compute tiles again on the way back."""

    @staticmethod
    def _keys(keys: Tensor, key_valid: Tensor, side: Side, rule: Rule) -> tuple[Tensor, Tensor | None, Tensor | None]:
        key = keys[side.rows, : side.length]
        valid = key_valid[side.rows, : side.length]
        gram = torch.bmm(key, key.transpose(1, 2)) if rule.needs_gram else None
        return key, None if bool(valid.all()) else valid[:, :, None, None], gram

    @staticmethod
    def _queries(queries: Tensor, side: Side) -> Tensor:
        """Give (Q, x, D), so that x lies innermost in the tile."""
        return queries[side.rows, : side.length].transpose(0, 1).contiguous()

    @staticmethod
    def _scores(key: Tensor, query: Tensor, product: torch.dtype) -> Tensor:
        flat = key.flatten(0, 1).to(product) @ query.flatten(0, 1).to(product).T
        return flat.to(key.dtype).view(*key.shape[:2], *query.shape[:2])

    @staticmethod
    def forward(
        ctx: Any, queries: Tensor, keys: Tensor, key_valid: Tensor, rule: Rule, plan: Plan, product: torch.dtype
    ) -> Tensor:
        """Give (X, Y, Q) from unit queries (X, Q, D) and unit keys (Y, K, D), which are 0 where not real."""
        ctx.save_for_backward(queries, keys, key_valid)
        ctx.rule, ctx.plan, ctx.product = rule, plan, product
        result = queries.new_zeros(len(queries), len(keys), queries.shape[1])
        for y in plan.y:
            key, valid, gram = AllPairs._keys(keys, key_valid, y, rule)
            for x in plan.x:
                scores = AllPairs._scores(key, AllPairs._queries(queries, x), product)
                values = rule.values(scores, valid, gram)
                result[x.rows[:, None], y.rows[None, :], : x.length] = values.permute(2, 0, 1)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Give the gradients of queries and keys."""
        queries, keys, key_valid = ctx.saved_tensors
        # As in the forward pass, only the big products are in low precision, also under the caller's autocast.
        with torch.autocast(grad.device.type, enabled=False):
            to_queries, to_keys = AllPairs._gradients(ctx, queries, keys, key_valid, grad)
        return to_queries, to_keys, None, None, None, None

    @staticmethod
    def _gradients(ctx: Any, queries: Tensor, keys: Tensor, key_valid: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
        rule, plan, product = ctx.rule, ctx.plan, ctx.product
        to_queries, to_keys = torch.zeros_like(queries), torch.zeros_like(keys)
        for y in plan.y:
            key, valid, gram = AllPairs._keys(keys, key_valid, y, rule)
            to_key = torch.zeros_like(key)
            for x in plan.x:
                query = AllPairs._queries(queries, x)
                scores = AllPairs._scores(key, query, product)
                part = grad[x.rows[:, None], y.rows[None, :], : x.length].permute(1, 2, 0)
                to_scores, to_gram = rule.gradients(scores, valid, gram, part)
                flat = to_scores.view(key.shape[0] * key.shape[1], -1).to(product)
                back = (flat.T @ key.flatten(0, 1).to(product)).to(query.dtype).view_as(query)
                to_queries[x.rows, : x.length] += back.transpose(0, 1)
                to_key += (flat @ query.flatten(0, 1).to(product)).to(key.dtype).view_as(key)
                if to_gram is not None:
                    # G = K K^T, and its gradient is symmetric.
                    to_key.baddbmm_(to_gram, key, alpha=2.0)
            to_keys[y.rows, : y.length] = to_key
        return to_queries, to_keys
