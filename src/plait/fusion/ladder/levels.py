"""Keys and values shared by all heads (v10_4), three levels of features (v10_5), and both (v11)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plait.core.types import Tokens
from plait.fusion.base.prepared import Prepared, prepared
from plait.fusion.ladder.feed_forward import PreNormAttention
from plait.fusion.ladder.pieces import Attended, QueryKeyValue, attend_with_weights, join_heads

__all__ = ["Levels", "MultiQuery", "MultiQueryLevels", "SharedKeys"]

LEVELS = 3

Weights = tuple[Tensor, ...]


class SharedKeys(PreNormAttention[QueryKeyValue]):
    """What the versions with keys and values shared by all heads have in common: their projections."""

    def _add_projections(self, width: int) -> None:
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)

    def project(self, normed: Tensor) -> QueryKeyValue:
        """Project normed tokens (..., D) to queries (..., D) and to shared keys and values (..., d)."""
        weight = torch.cat([self.query.weight, self._summed(self.key_value.weight)])
        bias = torch.cat([self.query.bias, self._summed(self.key_value.bias)])
        small = self.width // self.heads
        return QueryKeyValue(*F.linear(normed, weight, bias).split([self.width, small, small], -1))

    def _summed(self, rows: Tensor) -> Tensor:
        """Sum a map's rows (2 D, ...) over heads to (2 d, ...)."""
        return rows.unflatten(0, (2, self.heads, -1)).sum(1).flatten(0, 1) * self.heads**-0.5


class MultiQuery(SharedKeys):
    """v10_4: v9 whose heads have queries of their own and share keys and values.

    Formula: head h gives softmax((Q W_q^h)(K W_k)^T / sqrt(d)) K W_v, with W_k and W_v of width d = D / heads; the rest
    as v9.

    Arguments:
        width, heads, ratio, dropout: as `PreNormAttention`
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if requested: (B, heads, T, P) and
                 (B, heads, P, T)
    Source: Park 2025, Deep Learning DNA, section 10.4.4, v10_4, described and not printed there; Shazeer 2019. Differs:
    W_k and W_v are learned D wide and their heads are summed to one (times 1 / sqrt(heads), which keeps their size;
    Ainslie et al. 2023 average), so that there are as many parameters as in v9, as the textbook's module is known to
    have. What it computes is plain multi-query attention.
    """

    name = "ladder/v10_4"

    def prepare_text(self, text: Tokens) -> Prepared[QueryKeyValue]:
        """Norm and project the words."""
        return prepared(text, self.project(self.norm(text.values)))

    def prepare_image(self, image: Tokens) -> Prepared[QueryKeyValue]:
        """Norm and project the regions."""
        return prepared(image, self.project(self.norm(image.values)))

    def attend(self, text: Prepared[QueryKeyValue], image: Prepared[QueryKeyValue], maps: bool) -> Attended:
        """Attend both ways: words (M, T, D), regions (M, P, D)."""
        words, t2i = self._attend(text.parts, image.parts, image.valid, maps)
        regions, i2t = self._attend(image.parts, text.parts, text.valid, maps)
        return Attended(words, regions, t2i, i2t)

    def _attend(
        self, query: QueryKeyValue, key: QueryKeyValue, key_valid: Tensor, maps: bool
    ) -> tuple[Tensor, Weights]:
        """Let (M, Q, D) attend to (M, K, d): heads are more queries. Gives (M, Q, D), weights (M, heads, Q, K)."""
        queries = query.query.reshape(len(key_valid), -1, self.width // self.heads)
        found, weights = attend_with_weights(queries, key.key, key.value, key_valid, dropout=self.dropout, maps=maps)
        shown = tuple(w.unflatten(1, (-1, self.heads)).transpose(1, 2) for w in weights)
        return found.reshape(len(key_valid), -1, self.width), shown


class Levels(PreNormAttention[QueryKeyValue]):
    """v10_5: v9 with attention at three levels of features, each made from the one below, and a weight per level.

    Formula: X_0 = LayerNorm(text), X_l = LayerNorm_l(P_l X_(l-1)) for l = 1, 2, 3, likewise Y from the image; MHA as in
    v9 at every level, by the same query, key and value maps; a = W_o (sum over l of softmax(w)_l [heads at level l]).

    Arguments:
        width, heads, ratio, dropout: as `PreNormAttention`
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if requested: one per level, as layers 0 to 2,
                 (B, heads, T, P) and (B, heads, P, T)
    Source: Park 2025, Deep Learning DNA, section 10.4.4, v10_5, described and not printed there. Differs: that a level
    is made from the one below, and that levels share their attention maps, is our reading.
    """

    name = "ladder/v10_5"

    def _add_projections(self, width: int) -> None:
        self.project = nn.Linear(width, 3 * width)
        self.levels = _FeatureLevels(width)

    def prepare_text(self, text: Tokens) -> Prepared[QueryKeyValue]:
        """Project all levels of the words: (C, T, levels, D) each."""
        return prepared(text, QueryKeyValue(*self.project(self.levels(self.norm(text.values))).chunk(3, -1)))

    def prepare_image(self, image: Tokens) -> Prepared[QueryKeyValue]:
        """Project all levels of the regions: (B, P, levels, D) each."""
        return prepared(image, QueryKeyValue(*self.project(self.levels(self.norm(image.values))).chunk(3, -1)))

    def attend(self, text: Prepared[QueryKeyValue], image: Prepared[QueryKeyValue], maps: bool) -> Attended:
        """Attend both ways at every level: words (M, T, D), regions (M, P, D)."""
        words, t2i = self._attend(text.parts, image.parts, image.valid, maps)
        regions, i2t = self._attend(image.parts, text.parts, text.valid, maps)
        words, regions = (join_heads(self.levels.mixed(found)) for found in (words, regions))
        return Attended(words, regions, t2i, i2t)

    def _attend(
        self, query: QueryKeyValue, key: QueryKeyValue, key_valid: Tensor, maps: bool
    ) -> tuple[Tensor, Weights]:
        """Let (M, Q, levels, D) attend to (M, K, levels, D). Gives (M, levels, heads, Q, d) and weights per level."""
        parts = (query.query, key.key, key.value)
        queries, keys, values = (part.unflatten(-1, (self.heads, -1)).permute(0, 2, 3, 1, 4) for part in parts)
        found, weights = attend_with_weights(queries, keys, values, key_valid, dropout=self.dropout, maps=maps)
        return found, tuple(level for every in weights for level in every.unbind(1))


class MultiQueryLevels(SharedKeys):
    """v11: v10_5's levels with v10_4's shared keys and values.

    Formula: as `Levels`, the attention at each level as in `MultiQuery`.

    Arguments:
        width, heads, ratio, dropout: as `PreNormAttention`
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if requested: one per level, as layers 0 to 2,
                 (B, heads, T, P) and (B, heads, P, T)
    Source: Park 2025, Deep Learning DNA, section 10.4.4, v11, described and not printed there. Differs: as v10_4 and
    v10_5.
    """

    name = "ladder/v11"

    def _add_projections(self, width: int) -> None:
        super()._add_projections(width)
        self.levels = _FeatureLevels(width)

    def prepare_text(self, text: Tokens) -> Prepared[QueryKeyValue]:
        """Project all levels of the words: (C, T, levels, D or d) each."""
        return prepared(text, self.project(self.levels(self.norm(text.values))))

    def prepare_image(self, image: Tokens) -> Prepared[QueryKeyValue]:
        """Project all levels of the regions: (B, P, levels, D or d) each."""
        return prepared(image, self.project(self.levels(self.norm(image.values))))

    def attend(self, text: Prepared[QueryKeyValue], image: Prepared[QueryKeyValue], maps: bool) -> Attended:
        """Attend both ways at every level: words (M, T, D), regions (M, P, D)."""
        words, t2i = self._attend(text.parts, image.parts, image.valid, maps)
        regions, i2t = self._attend(image.parts, text.parts, text.valid, maps)
        return Attended(words, regions, t2i, i2t)

    def _attend(
        self, query: QueryKeyValue, key: QueryKeyValue, key_valid: Tensor, maps: bool
    ) -> tuple[Tensor, Weights]:
        """Let (M, Q, levels, D) attend to (M, K, levels, d). Gives (M, Q, D), weights (M, heads, Q, K) per level."""
        count = len(key_valid)
        queries = query.query.transpose(1, 2).reshape(count, LEVELS, -1, self.width // self.heads)
        keys, values = key.key.transpose(1, 2), key.value.transpose(1, 2)
        found, weights = attend_with_weights(queries, keys, values, key_valid, dropout=self.dropout, maps=maps)
        shown = tuple(
            level.unflatten(1, (-1, self.heads)).transpose(1, 2) for every in weights for level in every.unbind(1)
        )
        return self.levels.mixed(found).reshape(count, -1, self.width), shown


class _FeatureLevels(nn.Module):
    """Three levels of features, each projected and normed from the one below, and the weight of each."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.ModuleList(nn.Linear(width, width) for _ in range(LEVELS))
        self.norm = nn.ModuleList(nn.LayerNorm(width) for _ in range(LEVELS))
        self.weights = nn.Parameter(torch.zeros(LEVELS))

    def forward(self, values: Tensor) -> Tensor:
        """Make the levels of normed tokens (..., N, D): (..., N, levels, D)."""
        levels = []
        for project, norm in zip(self.project, self.norm, strict=True):
            values = norm(project(values))
            levels.append(values)
        return torch.stack(levels, -2)

    def mixed(self, found: Tensor) -> Tensor:
        """Weight the attended vectors of each level: (M, levels, ...) -> (M, ...)."""
        return torch.einsum("ml...,l->m...", found, self.weights.softmax(0))
