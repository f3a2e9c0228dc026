"""v9, multi-head attention with a gated feed-forward, and what v10_1 to v10_3 add to it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plait.core.types import Fused, Tokens
from plait.fusion.base.pairs import PairFusion
from plait.fusion.base.prepared import Parts, Prepared, prepared
from plait.fusion.ladder.pieces import (
    Attended,
    GatedFeedForward,
    QueryKeyValue,
    attend_by_heads,
    check_heads,
    fused,
)
from plait.nn.dropout import Dropout

__all__ = [
    "ByHeads",
    "ContextLayers",
    "CrossGate",
    "GatedFeedForwardAttention",
    "GatedParts",
    "PreNormAttention",
    "SideProjections",
]

GATE_SCALE = 0.1

SideParts = TypeVar("SideParts", bound=Parts)
HeadParts = TypeVar("HeadParts", bound=QueryKeyValue)


class PreNormAttention(PairFusion[SideParts, SideParts]):
    """What v9 and the versions after it share: a norm, projections, attention both ways, a gated feed-forward.

    Formula: X = LayerNorm(text), Y = LayerNorm(image); a = drop(W_o attend(X, Y)); text_out = a + GatedFeedForward(
    LayerNorm(a)), and image_out likewise. One norm before and one after attention serve both sides.

    A subclass makes its projections (`_add_projections`, after the first norm), prepares the sides with them, and
    writes `attend`.

    Arguments:
        width:   D of both sides
        heads:   attention heads; divides D
        ratio:   hidden width of the feed-forward part, in multiples of D
        dropout: part set to 0 in training
    Raises:
        ConfigError: heads does not divide D, or dropout is outside [0, 1).
    """

    name: ClassVar[str]

    def __init__(self, width: int, *, heads: int = 8, ratio: float = 4, dropout: float = 0.1) -> None:
        super().__init__()
        self.width = width
        self.heads = check_heads(self.name, width, heads)
        self.norm = nn.LayerNorm(width)
        self._add_projections(width)
        self.out = nn.Linear(width, width)
        self.dropout = Dropout(dropout)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = GatedFeedForward(width, ratio=ratio, dropout=dropout)

    @abstractmethod
    def _add_projections(self, width: int) -> None:
        """Make the layers between norm and attention; called by the constructor, so that weights are drawn in order."""

    @abstractmethod
    def attend(self, text: Prepared[SideParts], image: Prepared[SideParts], maps: bool) -> Attended:
        """Let aligned sides attend to each other, before the output map: words (M, T, D), regions (M, P, D)."""

    def meet(self, text: Prepared[SideParts], image: Prepared[SideParts], *, maps: bool = False) -> Fused:
        """Let the sides attend to each other, then transform each token; see the class."""
        a = self.attended(text, image, maps)
        words, regions = self.transformed(a.words), self.transformed(a.regions)
        return fused(text.tokens(words), image.tokens(regions), a.t2i, a.i2t)

    def attended(self, text: Prepared[SideParts], image: Prepared[SideParts], maps: bool) -> Attended:
        """Attend and map to outputs: words (M, T, D), regions (M, P, D)."""
        a = self.attend(text, image, maps)
        return replace(a, words=self.dropout(self.out(a.words)), regions=self.dropout(self.out(a.regions)))

    def transformed(self, values: Tensor) -> Tensor:
        """Transform (M, N, D) by the feed-forward part, with a residual."""
        transformed: Tensor = values + self.feed_forward(self.feed_forward_norm(values))
        return transformed


class ByHeads(PreNormAttention[HeadParts]):
    """A version whose sides attend to each other by heads, each direction by itself."""

    def attend(self, text: Prepared[HeadParts], image: Prepared[HeadParts], maps: bool) -> Attended:
        """Attend by heads; words (M, T, D), regions (M, P, D)."""
        return attend_by_heads(
            text.parts, image.parts, text.valid, image.valid, heads=self.heads, dropout=self.dropout, maps=maps
        )


class GatedFeedForwardAttention(ByHeads[QueryKeyValue]):
    """v9: pre-norm multi-head attention, then a gated feed-forward; a residual around the latter only.

    Formula: X = LayerNorm(text), Y = LayerNorm(image); a = drop(MHA(X, Y)); text_out = a + GatedFeedForward(
    LayerNorm(a)), and image_out likewise from MHA(Y, X). All maps and norms serve both sides; dropout also on
    attention weights.

    Arguments:
        width, heads, ratio, dropout: as `PreNormAttention`
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if requested: (B, heads, T, P) and
                 (B, heads, P, T)
    Requirements: the outputs are functions of what was attended to: no residual leads around attention. With one token
    per side the sides are exchanged, each through maps of its own input alone, and the query and key maps never learn.
    Raises:
        ConfigError: heads does not divide D, or dropout is outside [0, 1).
    Source: Park 2025, Deep Learning DNA, section 10.4.4, v9. Differs: padding is masked; query, key and value are one
    map; see `GatedFeedForward`.
    """

    name = "ladder/v9"

    def _add_projections(self, width: int) -> None:
        self.project = nn.Linear(width, 3 * width)

    def prepare_text(self, text: Tokens) -> Prepared[QueryKeyValue]:
        """Norm the words and project them to query, key and value."""
        return prepared(text, QueryKeyValue(*self.project(self.norm(text.values)).chunk(3, -1)))

    def prepare_image(self, image: Tokens) -> Prepared[QueryKeyValue]:
        """Norm the regions and project them to query, key and value."""
        return prepared(image, QueryKeyValue(*self.project(self.norm(image.values)).chunk(3, -1)))


class SideProjections(ByHeads[QueryKeyValue]):
    """v10_1: v9 with query, key and value maps for each side.

    Formula: as `GatedFeedForwardAttention`, W_q, W_k, W_v of a token being its side's.

    Arguments:
        width, heads, ratio, dropout: as `PreNormAttention`
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if requested: (B, heads, T, P) and
                 (B, heads, P, T)
    Source: Park 2025, Deep Learning DNA, section 10.4.4, v10_1, described and not printed there. Differs: as v9.
    """

    name = "ladder/v10_1"

    def _add_projections(self, width: int) -> None:
        self.text_project = nn.Linear(width, 3 * width)
        self.image_project = nn.Linear(width, 3 * width)

    def prepare_text(self, text: Tokens) -> Prepared[QueryKeyValue]:
        """Norm the words and project them to query, key and value."""
        return prepared(text, QueryKeyValue(*self.text_project(self.norm(text.values)).chunk(3, -1)))

    def prepare_image(self, image: Tokens) -> Prepared[QueryKeyValue]:
        """Norm the regions and project them to query, key and value."""
        return prepared(image, QueryKeyValue(*self.image_project(self.norm(image.values)).chunk(3, -1)))


@dataclass(frozen=True)
class GatedParts(QueryKeyValue):
    """One side's tokens as queries, keys and values, and their own part of the gate.

    Fields:
        gate: (R, N, D) float, the raw token's part of W [a; x] + b
    """

    gate: Tensor


class CrossGate(ByHeads[GatedParts]):
    """v10_2: v9 with a gate on the attended vector, a function of that vector and of the token that attends.

    Formula: with a = drop(MHA(X, Y)) as in v9 and the raw token x: a' = s * sigmoid(W [a; x] + b) * a, then v9's feed-
    forward on a'; one gate per side, and one learned s that starts at 0.1.

    Arguments:
        width, heads, ratio, dropout: as `PreNormAttention`
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if requested: (B, heads, T, P) and
                 (B, heads, P, T)
    Requirements: through the gate, and there alone, an output depends on its own side's values as well.
    Source: Park 2025, Deep Learning DNA, section 10.4.4, v10_2, described and not printed there: a gate of the attended
    and the original features, without a norm, scaled by 0.1. Differs: where the gate multiplies is our reading.
    """

    name = "ladder/v10_2"

    def _add_projections(self, width: int) -> None:
        self.project = nn.Linear(width, 3 * width)
        self.text_gate = nn.Linear(2 * width, width)
        self.image_gate = nn.Linear(2 * width, width)
        self.gate_scale = nn.Parameter(torch.tensor(GATE_SCALE))

    def prepare_text(self, text: Tokens) -> Prepared[GatedParts]:
        """Norm and project the words; beside it, their own part of the gate."""
        return self._prepared(text, self.text_gate)

    def prepare_image(self, image: Tokens) -> Prepared[GatedParts]:
        """Norm and project the regions; beside it, their own part of the gate."""
        return self._prepared(image, self.image_gate)

    def meet(self, text: Prepared[GatedParts], image: Prepared[GatedParts], *, maps: bool = False) -> Fused:
        """Let the sides attend to each other, gate, then transform each token; see the class."""
        a = self.attended(text, image, maps)
        words = self._gated(self.text_gate, a.words, text.parts.gate)
        regions = self._gated(self.image_gate, a.regions, image.parts.gate)
        words, regions = self.transformed(words), self.transformed(regions)
        return fused(text.tokens(words), image.tokens(regions), a.t2i, a.i2t)

    def _prepared(self, side: Tokens, gate: nn.Linear) -> Prepared[GatedParts]:
        query, key, value = self.project(self.norm(side.values)).chunk(3, -1)
        own = F.linear(side.values, gate.weight[:, self.width :], gate.bias)
        return prepared(side, GatedParts(query, key, value, own))

    def _gated(self, gate: nn.Linear, attended: Tensor, own: Tensor) -> Tensor:
        opening = torch.sigmoid(F.linear(attended, gate.weight[:, : self.width]) + own)
        return self.gate_scale * opening * attended


class ContextLayers(ByHeads[QueryKeyValue]):
    """v10_3: v9 with a context layer for each side between norm and projections.

    Formula: X = n + drop(gelu(C n + c)) with n = LayerNorm(text), likewise Y with a layer of its own; the rest as v9.

    Arguments:
        width, heads, ratio, dropout: as `PreNormAttention`
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if requested: (B, heads, T, P) and
                 (B, heads, P, T)
    Source: Park 2025, Deep Learning DNA, section 10.4.4, v10_3, described and not printed there. Differs: the layer's
    form is our reading; it takes one token at a time, so its context is that token's channels.
    """

    name = "ladder/v10_3"

    def _add_projections(self, width: int) -> None:
        self.project = nn.Linear(width, 3 * width)
        self.text_context = nn.Linear(width, width)
        self.image_context = nn.Linear(width, width)

    def prepare_text(self, text: Tokens) -> Prepared[QueryKeyValue]:
        """Norm the words, add context, and project to query, key and value."""
        return self._prepared(text, self.text_context)

    def prepare_image(self, image: Tokens) -> Prepared[QueryKeyValue]:
        """Norm the regions, add context, and project to query, key and value."""
        return self._prepared(image, self.image_context)

    def _prepared(self, side: Tokens, context: nn.Linear) -> Prepared[QueryKeyValue]:
        normed = self.norm(side.values)
        projected = self.project(normed + self.dropout(F.gelu(context(normed))))
        return prepared(side, QueryKeyValue(*projected.chunk(3, -1)))
