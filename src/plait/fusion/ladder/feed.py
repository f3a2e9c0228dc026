"""v9, multi-head attention with a gated feed-forward, and what v10_1 to v10_3 add to it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plait.fusion.ladder.pieces import GatedFeed, Met, Rung, check_heads, joined, read, split
from plait.nn.dropout import Dropout

__all__ = ["ContextLayers", "CrossGate", "GatedFeedAttention", "SideProjections"]

GATE_SCALE = 0.1


class GatedFeedAttention(Rung):
    """v9: pre-norm multi-head attention, then a gated feed-forward; a residual around the latter only.

    Formula: X = LayerNorm(text), Y = LayerNorm(image); a = drop(MHA(X, Y)); text_out = a + GatedFeed(LayerNorm(a)), and
    image_out likewise from MHA(Y, X). All maps and norms serve both sides; dropout also on attention weights.

    Arguments:
        width:   D of both sides
        heads:   attention heads; divides D
        ratio:   hidden width of the feed-forward part, in multiples of D
        dropout: part set to 0 in training
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if asked: (B, heads, T, P) and (B, heads, P, T)
    Requirements: what attention read is all that remains: no residual leads around it. With one token a side the sides
    are exchanged, each through maps of its own input alone, and the query and key maps never learn.
    Raises:
        ConfigError: heads does not divide D, or dropout is outside [0, 1).
    Source: Multimodal Deep Learning, section 10.4.4 (dldna), v9. Differs: padding is masked; query, key and value are
    one map; see `GatedFeed`.
    """

    name = "ladder/v9"

    def __init__(self, width: int, *, heads: int = 8, ratio: float = 4, dropout: float = 0.1) -> None:
        super().__init__()
        self.width = width
        self.heads = check_heads(self.name, width, heads)
        self.norm = nn.LayerNorm(width)
        self._add_projections(width)
        self.out = nn.Linear(width, width)
        self.dropout = Dropout(dropout)
        self.feed_norm = nn.LayerNorm(width)
        self.feed = GatedFeed(width, ratio=ratio, dropout=dropout)

    def _add_projections(self, width: int) -> None:
        self.project = nn.Linear(width, 3 * width)

    def text_side(self, values: Tensor) -> Tensor:
        """Norm and project (C, T, D) to query, key and value: (C, T, 3 D)."""
        projected: Tensor = self.project(self.norm(values))
        return projected

    def image_side(self, values: Tensor) -> Tensor:
        """Norm and project (B, P, D) to query, key and value: (B, P, 3 D)."""
        projected: Tensor = self.project(self.norm(values))
        return projected

    def attended(self, words: Tensor, real_words: Tensor, regions: Tensor, real_regions: Tensor, maps: bool) -> Met:
        """Read both ways, then feed forward; see `Rung.attended`."""
        met = self.crossed(words, real_words, regions, real_regions, maps)
        return met._replace(words=self.fed(met.words), regions=self.fed(met.regions))

    def crossed(self, words: Tensor, real_words: Tensor, regions: Tensor, real_regions: Tensor, maps: bool) -> Met:
        """Read both ways by heads; the first 3 D of the sides are query, key and value (see `Rung.attended`)."""
        used = 3 * self.width
        ask_words, key_words, value_words = (split(x, self.heads) for x in words[..., :used].chunk(3, -1))
        ask_regions, key_regions, value_regions = (split(x, self.heads) for x in regions[..., :used].chunk(3, -1))
        to_words, t2i = read(ask_words, key_regions, value_regions, real_regions, dropout=self.dropout, maps=maps)
        to_regions, i2t = read(ask_regions, key_words, value_words, real_words, dropout=self.dropout, maps=maps)
        return Met(self.dropout(self.out(joined(to_words))), self.dropout(self.out(joined(to_regions))), t2i, i2t)

    def fed(self, values: Tensor) -> Tensor:
        """Feed (M, N, D) forward, with a residual."""
        fed: Tensor = values + self.feed(self.feed_norm(values))
        return fed


class SideProjections(GatedFeedAttention):
    """v10_1: v9 with query, key and value maps of each side's own.

    Formula: as `GatedFeedAttention`, W_q, W_k, W_v of a token being its side's.

    Arguments:
        width, heads, ratio, dropout: as `GatedFeedAttention`
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if asked: (B, heads, T, P) and (B, heads, P, T)
    Source: Multimodal Deep Learning, section 10.4.4 (dldna), v10_1, described and not printed there. Differs: as v9.
    """

    name = "ladder/v10_1"

    def _add_projections(self, width: int) -> None:
        self.text_project = nn.Linear(width, 3 * width)
        self.image_project = nn.Linear(width, 3 * width)

    def text_side(self, values: Tensor) -> Tensor:
        """Norm and project (C, T, D) to (C, T, 3 D)."""
        projected: Tensor = self.text_project(self.norm(values))
        return projected

    def image_side(self, values: Tensor) -> Tensor:
        """Norm and project (B, P, D) to (B, P, 3 D)."""
        projected: Tensor = self.image_project(self.norm(values))
        return projected


class CrossGate(GatedFeedAttention):
    """v10_2: v9 with a gate on what was attended, opened by it and by the token that asked.

    Formula: with a = drop(MHA(X, Y)) as in v9 and the raw token x: a' = s * sigmoid(W [a; x] + b) * a, then v9's feed-
    forward on a'; a gate a side, and one learned s that starts at 0.1.

    Arguments:
        width, heads, ratio, dropout: as `GatedFeedAttention`
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if asked: (B, heads, T, P) and (B, heads, P, T)
    Requirements: through the gate, and there alone, an output depends on its own side's values as well.
    Source: Multimodal Deep Learning, section 10.4.4 (dldna), v10_2, described and not printed there: a gate of the
    attended and the original features, without a norm, scaled by 0.1. Differs: where the gate multiplies is our
    reading.
    """

    name = "ladder/v10_2"

    def _add_projections(self, width: int) -> None:
        super()._add_projections(width)
        self.text_gate = nn.Linear(2 * width, width)
        self.image_gate = nn.Linear(2 * width, width)
        self.gate_scale = nn.Parameter(torch.tensor(GATE_SCALE))

    def text_side(self, values: Tensor) -> Tensor:
        """Project (C, T, D) and, beside it, the token's own part of its gate: (C, T, 4 D)."""
        return torch.cat([super().text_side(values), self._own_part(self.text_gate, values)], -1)

    def image_side(self, values: Tensor) -> Tensor:
        """Project (B, P, D) and, beside it, the token's own part of its gate: (B, P, 4 D)."""
        return torch.cat([super().image_side(values), self._own_part(self.image_gate, values)], -1)

    def attended(self, words: Tensor, real_words: Tensor, regions: Tensor, real_regions: Tensor, maps: bool) -> Met:
        """Read both ways, gate, feed forward; see `Rung.attended`."""
        met = self.crossed(words, real_words, regions, real_regions, maps)
        gated_words = self._gated(self.text_gate, met.words, words[..., -self.width :])
        gated_regions = self._gated(self.image_gate, met.regions, regions[..., -self.width :])
        return met._replace(words=self.fed(gated_words), regions=self.fed(gated_regions))

    def _own_part(self, gate: nn.Linear, values: Tensor) -> Tensor:
        return F.linear(values, gate.weight[:, self.width :], gate.bias)

    def _gated(self, gate: nn.Linear, attended: Tensor, own: Tensor) -> Tensor:
        opening = torch.sigmoid(F.linear(attended, gate.weight[:, : self.width]) + own)
        return self.gate_scale * opening * attended


class ContextLayers(GatedFeedAttention):
    """v10_3: v9 with a context layer a side between norm and projections.

    Formula: X = n + drop(gelu(C n + c)) with n = LayerNorm(text), likewise Y with a layer of its own; the rest as v9.

    Arguments:
        width, heads, ratio, dropout: as `GatedFeedAttention`
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if asked: (B, heads, T, P) and (B, heads, P, T)
    Source: Multimodal Deep Learning, section 10.4.4 (dldna), v10_3, described and not printed there. Differs: the
    layer's form is our reading; it looks at one token at a time, so its context is that token's channels.
    """

    name = "ladder/v10_3"

    def _add_projections(self, width: int) -> None:
        super()._add_projections(width)
        self.text_context = nn.Linear(width, width)
        self.image_context = nn.Linear(width, width)

    def text_side(self, values: Tensor) -> Tensor:
        """Norm, add context and project (C, T, D) to (C, T, 3 D)."""
        return self._projected(self.text_context, values)

    def image_side(self, values: Tensor) -> Tensor:
        """Norm, add context and project (B, P, D) to (B, P, 3 D)."""
        return self._projected(self.image_context, values)

    def _projected(self, context: nn.Linear, values: Tensor) -> Tensor:
        normed = self.norm(values)
        projected: Tensor = self.project(normed + self.dropout(F.gelu(context(normed))))
        return projected
