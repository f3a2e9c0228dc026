"""The control of every mask: a model that is trained without the text."""

from __future__ import annotations

import torch
from torch import nn

from plait.core.errors import ConfigError
from plait.core.types import Fused, Tokens
from plait.fusion.base.pairs import PairFusion
from plait.fusion.base.prepared import Prepared, Values, prepared
from plait.nn.blocks import SelfBlock
from plait.nn.positions import sinusoid_2d

__all__ = ["ImageOnlyFusion"]


class ImageOnlyFusion(PairFusion[Values, Values]):
    """Give the image as it is, after self-attention over its cells: what a model can do without the text.

    Formula: x' = LayerNorm(x) + g * sinusoid(row, column), then `layers` self-attention blocks and LayerNorm; the text
    is passed on as it came.

    A trained model that is given zeros in place of its text is out of its training distribution. This one is trained
    without the text: it learns which region of an image is requested most often, and a fusion that reads the text has
    to score above it.

    Arguments:
        width:  D of both sides
        layers: self-attention blocks; 0 leaves each cell by itself
        heads, ratio, dropout: of those blocks
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) as it came and image (B, P, D) on its grid; no maps
    Requirements: masks only. Under a match score it would give every sentence the same image.
    Raises:
        ConfigError: layers is below 0.
    Relations: `FilmFusion` with a gain of 0 and no shift.
    """

    gives_maps = False
    image_reads_text = False
    shares_image = True

    def __init__(self, width: int, *, layers: int = 1, heads: int = 8, ratio: float = 2, dropout: float = 0.0) -> None:
        super().__init__()
        if layers < 0:
            raise ConfigError(f"fusion 'image_only', layers: expected at least 0, got {layers}")
        self.input_norm = nn.LayerNorm(width)
        self.gain = nn.Parameter(torch.ones(()))
        self.blocks = nn.ModuleList(SelfBlock(width, heads=heads, ratio=ratio, dropout=dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def prepare_text(self, text: Tokens) -> Prepared[Values]:
        """Leave the words as they came."""
        return prepared(text, Values(text.values))

    def prepare_image(self, image: Tokens) -> Prepared[Values]:
        """Do all the work, once per image."""
        values = self.input_norm(image.values)
        if image.grid is not None:
            places = sinusoid_2d(image.grid, values.shape[-1], device=values.device).to(values.dtype)
            values = values + self.gain * places
        for block in self.blocks:
            values = block(values, image.valid)
        return prepared(image, Values(self.norm(values)))

    def meet(self, text: Prepared[Values], image: Prepared[Values], *, maps: bool = False) -> Fused:
        """Put each pair's sides side by side; see the class."""
        return Fused(text.tokens(text.parts.values), image.tokens(image.parts.values))
