"""The rungs on one matrix and one layer norm: v2, with a residual v3, projections v4, or a fixed mixture v5."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from plait.fusion.ladder.bare import meet_shared
from plait.fusion.ladder.pieces import Met, Rung

__all__ = ["MixedAttention", "NormedAttention", "ProjectedAttention", "ResidualAttention"]

KEPT = 0.5


class NormedAttention(Rung):
    """v2: norm both sides, then let them read each other by one matrix.

    Formula: X = LayerNorm(text), Y = LayerNorm(image), one LayerNorm for both; A = softmax over words of
    Y X^T / sqrt(D); image_out = A X, text_out = A^T Y, rows of A^T divided by their sums.

    Arguments:
        width: D of both sides
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if asked: (B, 1, T, P) and (B, 1, P, T)
    Requirements: with one token a side the normed sides are exchanged.
    Source: Multimodal Deep Learning, section 10.4.4 (dldna), v2. Differs: as v1 (see `SharedAttention`).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def text_side(self, values: Tensor) -> Tensor:
        """Norm (C, T, D)."""
        normed: Tensor = self.norm(values)
        return normed

    def image_side(self, values: Tensor) -> Tensor:
        """Norm (B, P, D)."""
        normed: Tensor = self.norm(values)
        return normed

    def attended(self, words: Tensor, real_words: Tensor, regions: Tensor, real_regions: Tensor, maps: bool) -> Met:
        """Read both ways; see `Rung.attended`."""
        return meet_shared(words, real_words, regions, real_regions, maps)


class ResidualAttention(NormedAttention):
    """v3: add what went in to what v2 gives.

    Formula: image_out = image + A X, text_out = text + A^T Y; A, X, Y as in `NormedAttention`. The residual is the raw
    input, not the normed one.

    Arguments:
        width: D of both sides
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if asked: (B, 1, T, P) and (B, 1, P, T)
    Requirements: with one token a side both outputs are about text + image, nearly the same vector. Fusing pairs that
    belong together before comparing them (pairing "matched") then gives the answer away: it "wins" on noise.
    Source: Multimodal Deep Learning, section 10.4.4 (dldna), v3. Differs: as v1 (see `SharedAttention`).
    """

    def text_side(self, values: Tensor) -> Tensor:
        """Norm (C, T, D) and keep the input beside it: (C, T, 2 D)."""
        return torch.cat([self.norm(values), values], -1)

    def image_side(self, values: Tensor) -> Tensor:
        """Norm (B, P, D) and keep the input beside it: (B, P, 2 D)."""
        return torch.cat([self.norm(values), values], -1)

    def attended(self, words: Tensor, real_words: Tensor, regions: Tensor, real_regions: Tensor, maps: bool) -> Met:
        """Read both ways and add; see `Rung.attended`."""
        (words, own_words), (regions, own_regions) = words.chunk(2, -1), regions.chunk(2, -1)
        met = meet_shared(words, real_words, regions, real_regions, maps)
        return met._replace(words=own_words + met.words, regions=own_regions + met.regions)


class ProjectedAttention(NormedAttention):
    """v4: project each normed side by a map of its own before v2's attention.

    Formula: X = W_t LayerNorm(text) + b_t, Y = W_i LayerNorm(image) + b_i; the rest as in `NormedAttention`.

    Arguments:
        width: D of both sides
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if asked: (B, 1, T, P) and (B, 1, P, T)
    Requirements: with one token a side the projections are exchanged: a two-tower of one linear layer a side.
    Source: Multimodal Deep Learning, section 10.4.4 (dldna), v4, described and not printed there. Differs: as v1 (see
    `SharedAttention`); what is attended to is projected too.
    """

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.text_project = nn.Linear(width, width)
        self.image_project = nn.Linear(width, width)

    def text_side(self, values: Tensor) -> Tensor:
        """Norm and project (C, T, D)."""
        projected: Tensor = self.text_project(self.norm(values))
        return projected

    def image_side(self, values: Tensor) -> Tensor:
        """Norm and project (B, P, D)."""
        projected: Tensor = self.image_project(self.norm(values))
        return projected


class MixedAttention(NormedAttention):
    """v5: give half of what went in and half of what v2 gives.

    Formula: image_out = 0.5 Y + 0.5 A X, text_out = 0.5 X + 0.5 A^T Y; A, X, Y as in `NormedAttention`.

    Arguments:
        width: D of both sides
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if asked: (B, 1, T, P) and (B, 1, P, T)
    Requirements: with one token a side both outputs are the same vector, the mean of the normed sides (see
    `ResidualAttention` for what that does to pairing "matched").
    Source: Multimodal Deep Learning, section 10.4.4 (dldna), v5, described and not printed there. Differs: as v1 (see
    `SharedAttention`).
    """

    def attended(self, words: Tensor, real_words: Tensor, regions: Tensor, real_regions: Tensor, maps: bool) -> Met:
        """Read both ways and mix; see `Rung.attended`."""
        met = meet_shared(words, real_words, regions, real_regions, maps)
        return met._replace(words=KEPT * (words + met.words), regions=KEPT * (regions + met.regions))
