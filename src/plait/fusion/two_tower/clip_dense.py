"""The baseline on a shared space: the cosine of each cell with the sentence, and a small decoder over it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from plait.core.errors import ConfigError, ShapeError
from plait.core.types import Fused, Tokens
from plait.fusion.base.pairs import PairFusion
from plait.fusion.base.prepared import Parts, Prepared, Values, prepared
from plait.nn.blocks import SelfBlock
from plait.nn.pairs import unit_vectors
from plait.nn.pooling import masked_mean

__all__ = ["ClipDenseFusion", "ClipDenseText"]


@dataclass(frozen=True)
class ClipDenseText(Parts):
    """The words and the sentence's vector.

    Fields:
        values:   (C, T, D) float, the words as they came
        sentence: (C, 1, D) float
    """

    values: Tensor
    sentence: Tensor


class ClipDenseFusion(PairFusion[ClipDenseText, Values]):
    """Compare every cell with the sentence in the space both encoders share, and decode from there.

    Formula: with s the sentence's pooled vector (its mean word where there is none) and x_p the cells,
        c_p = cos(x_p, s);  y_p = c_p * u + v;
    with layers > 0:  y_p = c_p * u + v + (1 + g(s)) * R LayerNorm(x_p) + h(s), where [g; h] is linear in LayerNorm(s),
    followed by that many self-attention blocks over the cells and LayerNorm.

    Arguments:
        width:   D of both sides, and of the text's pooled vector
        layers:  self-attention blocks of the decoder; 0 = nothing but the cosine reaches the head, which learns its
                 threshold: dense similarity as a baseline
        scale:   first value of u in every channel, since cosines of a shared space differ by a few hundredths
        heads, ratio, dropout: of the blocks
    Shapes:
        text:    values (B, T, D) float, pooled (B, D) or None; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) as it came and image (B, P, D) on its grid; no maps
    Requirements: cosines mean something where encoders share a space from the start: CLIP's towers with the option
    `space = "shared"` behind the adapter "none". Behind other adapters the space is learned with the rest, and the
    result is no CLIP baseline.
    Raises:
        ConfigError: layers is below 0.
        ShapeError: the pooled vector is not as wide as the cells.
    Source: Radford et al. 2021 (CLIP), Zhou et al. 2022 (dense labels from its patches), Lueddecke & Ecker 2022
    (CLIPSeg, the conditioned decoder). Differs: the patches pass CLIP's own last norm and projection; one activation
    is decoded, not three; pre-norm blocks.
    """

    gives_maps = False
    tested_options = ({"layers": 0},)

    def __init__(
        self,
        width: int,
        *,
        layers: int = 1,
        scale: float = 10.0,
        heads: int = 8,
        ratio: float = 2,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if layers < 0:
            raise ConfigError(f"fusion 'clip_dense', layers: expected at least 0, got {layers}")
        self.direction = nn.Parameter(scale * torch.randn(width) * width**-0.5)
        self.offset = nn.Parameter(torch.randn(width) * width**-0.5)
        self.reduce = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width)) if layers else None
        self.condition = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width)) if layers else None
        self.blocks = nn.ModuleList(SelfBlock(width, heads=heads, ratio=ratio, dropout=dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width) if layers else None

    def prepare_text(self, text: Tokens) -> Prepared[ClipDenseText]:
        """Take the sentence's vector."""
        sentence = masked_mean(text.values, text.valid) if text.pooled is None else text.pooled
        if sentence.shape[-1] != len(self.direction):
            raise ShapeError(
                f"fusion 'clip_dense': expected a pooled text vector as wide as the cells, {len(self.direction)}, got "
                f"{sentence.shape[-1]}; leave out pooled_width in fusion.adapter_options"
            )
        return prepared(text, ClipDenseText(text.values, sentence[:, None]))

    def prepare_image(self, image: Tokens) -> Prepared[Values]:
        """Leave the cells as they came."""
        return prepared(image, Values(image.values))

    def meet(self, text: Prepared[ClipDenseText], image: Prepared[Values], *, maps: bool = False) -> Fused:
        """Compare each pair's cells with its sentence; see the class."""
        cells, sentence = image.parts.values, text.parts.sentence
        cosine = (unit_vectors(cells, image.valid) * unit_vectors(sentence)).sum(-1, keepdim=True)
        values = cosine * self.direction + self.offset
        if self.reduce is not None and self.condition is not None:
            gain, shift = self.condition(sentence).chunk(2, -1)
            values = values + self.reduce(cells) * (1 + gain) + shift
            for block in self.blocks:
                values = block(values, image.valid)
        values = values if self.norm is None else self.norm(values)
        return Fused(text.tokens(text.parts.values), image.tokens(values))
