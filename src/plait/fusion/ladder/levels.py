"""Keys and values shared by all heads (v10_4), three levels of features (v10_5), and both (v11)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plait.fusion.ladder.feed import GatedFeedAttention
from plait.fusion.ladder.pieces import Met, joined, read

__all__ = ["Levels", "MultiQuery", "MultiQueryLevels"]

LEVELS = 3


class MultiQuery(GatedFeedAttention):
    """v10_4: v9 whose heads ask different questions of the same keys and values.

    Formula: head h reads softmax((Q W_q^h)(K W_k)^T / sqrt(d)) K W_v, with W_k and W_v of width d = D / heads; the rest
    as v9.

    Arguments:
        width, heads, ratio, dropout: as `GatedFeedAttention`
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if asked: (B, heads, T, P) and (B, heads, P, T)
    Source: Multimodal Deep Learning, section 10.4.4 (dldna), v10_4, described and not printed there; Shazeer 2019.
    Differs: W_k and W_v are learned D wide and their heads are summed to one (times 1 / sqrt(heads), which keeps their
    size; Ainslie et al. 2023 average), so that the rung has as many parameters as v9, as the chapter's module is
    known to have. What it computes is plain multi-query attention.
    """

    name = "ladder/v10_4"

    def _add_projections(self, width: int) -> None:
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)

    def text_side(self, values: Tensor) -> Tensor:
        """Norm and project (C, T, D) to queries and shared key and value: (C, T, D + 2 d)."""
        return self._projected(self.norm(values))

    def image_side(self, values: Tensor) -> Tensor:
        """Norm and project (B, P, D) to queries and shared key and value: (B, P, D + 2 d)."""
        return self._projected(self.norm(values))

    def _projected(self, normed: Tensor) -> Tensor:
        weight = torch.cat([self.query.weight, self._summed(self.key_value.weight)])
        bias = torch.cat([self.query.bias, self._summed(self.key_value.bias)])
        return F.linear(normed, weight, bias)

    def _summed(self, rows: Tensor) -> Tensor:
        """Sum a map's rows (2 D, ...) over heads to (2 d, ...)."""
        return rows.unflatten(0, (2, self.heads, -1)).sum(1).flatten(0, 1) * self.heads**-0.5

    def crossed(self, words: Tensor, real_words: Tensor, regions: Tensor, real_regions: Tensor, maps: bool) -> Met:
        """Read both ways; see `Rung.attended`."""
        to_words, t2i = self._read(words, regions, real_regions, maps)
        to_regions, i2t = self._read(regions, words, real_words, maps)
        return Met(self.dropout(self.out(to_words)), self.dropout(self.out(to_regions)), t2i, i2t)

    def _read(self, asking: Tensor, asked: Tensor, real: Tensor, maps: bool) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Let (M, Q, ...) read (M, K, ...): heads are more queries. Gives (M, Q, D), weights (M, heads, Q, K)."""
        small = self.width // self.heads
        query = asking[..., : self.width].reshape(len(asking), -1, small)
        key, value = asked[..., self.width :].chunk(2, -1)
        found, weights = read(query, key, value, real, dropout=self.dropout, maps=maps)
        shown = tuple(w.unflatten(1, (-1, self.heads)).transpose(1, 2) for w in weights)
        return found.reshape(len(asking), -1, self.width), shown


class Levels(GatedFeedAttention):
    """v10_5: v9 that attends at three levels of features, each made from the one below, and weights what it found.

    Formula: X_0 = LayerNorm(text), X_l = LayerNorm_l(P_l X_(l-1)) for l = 1, 2, 3, likewise Y from the image; MHA as in
    v9 at every level, by the same query, key and value maps; a = W_o (sum over l of softmax(w)_l [heads at level l]).

    Arguments:
        width, heads, ratio, dropout: as `GatedFeedAttention`
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if asked: a level each, as layers 0 to 2,
                 (B, heads, T, P) and (B, heads, P, T)
    Source: Multimodal Deep Learning, section 10.4.4 (dldna), v10_5, described and not printed there. Differs: that a
    level is made from the one below, and that levels share their attention maps, is our reading.
    """

    name = "ladder/v10_5"

    def _add_projections(self, width: int) -> None:
        super()._add_projections(width)
        self.levels = _Climb(width)

    def text_side(self, values: Tensor) -> Tensor:
        """Project all levels of (C, T, D): (C, T, 3 * 3 D)."""
        return self.project(self.levels(self.norm(values))).flatten(-2)

    def image_side(self, values: Tensor) -> Tensor:
        """Project all levels of (B, P, D): (B, P, 3 * 3 D)."""
        return self.project(self.levels(self.norm(values))).flatten(-2)

    def crossed(self, words: Tensor, real_words: Tensor, regions: Tensor, real_regions: Tensor, maps: bool) -> Met:
        """Read both ways at every level; see `Rung.attended`."""
        ask_words, key_words, value_words = self._parts(words)
        ask_regions, key_regions, value_regions = self._parts(regions)
        to_words, t2i = read(ask_words, key_regions, value_regions, real_regions, dropout=self.dropout, maps=maps)
        to_regions, i2t = read(ask_regions, key_words, value_words, real_words, dropout=self.dropout, maps=maps)
        words, regions = joined(self.levels.mixed(to_words)), joined(self.levels.mixed(to_regions))
        shown = (tuple(w for level in side for w in level.unbind(1)) for side in (t2i, i2t))
        return Met(self.dropout(self.out(words)), self.dropout(self.out(regions)), *shown)

    def _parts(self, values: Tensor) -> Tensor:
        """Cut (M, N, 9 D) into query, key and value, each (M, levels, heads, N, d)."""
        return values.unflatten(-1, (LEVELS, 3, self.heads, -1)).permute(3, 0, 2, 4, 1, 5)


class MultiQueryLevels(MultiQuery):
    """v11: v10_5's levels with v10_4's shared keys and values.

    Formula: as `Levels`, the attention at each level as in `MultiQuery`.

    Arguments:
        width, heads, ratio, dropout: as `GatedFeedAttention`
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if asked: a level each, as layers 0 to 2,
                 (B, heads, T, P) and (B, heads, P, T)
    Source: Multimodal Deep Learning, section 10.4.4 (dldna), v11, described and not printed there. Differs: as
    v10_4 and v10_5.
    """

    name = "ladder/v11"

    def _add_projections(self, width: int) -> None:
        super()._add_projections(width)
        self.levels = _Climb(width)

    def text_side(self, values: Tensor) -> Tensor:
        """Project all levels of (C, T, D): (C, T, 3 (D + 2 d))."""
        return self._projected(self.levels(self.norm(values))).flatten(-2)

    def image_side(self, values: Tensor) -> Tensor:
        """Project all levels of (B, P, D): (B, P, 3 (D + 2 d))."""
        return self._projected(self.levels(self.norm(values))).flatten(-2)

    def _read(self, asking: Tensor, asked: Tensor, real: Tensor, maps: bool) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Let (M, Q, ...) read (M, K, ...) at every level. Gives (M, Q, D), weights (M, heads, Q, K)."""
        asking, asked = (side.unflatten(-1, (LEVELS, -1)).transpose(1, 2) for side in (asking, asked))
        small = self.width // self.heads
        query = asking[..., : self.width].reshape(len(asking), LEVELS, -1, small)
        key, value = asked[..., self.width :].chunk(2, -1)
        found, weights = read(query, key, value, real, dropout=self.dropout, maps=maps)
        shown = tuple(
            level.unflatten(1, (-1, self.heads)).transpose(1, 2) for every in weights for level in every.unbind(1)
        )
        return self.levels.mixed(found).reshape(len(asking), -1, self.width), shown


class _Climb(nn.Module):
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
        """Weight what was found at each level: (M, levels, ...) -> (M, ...)."""
        return torch.einsum("ml...,l->m...", found, self.weights.softmax(0))
