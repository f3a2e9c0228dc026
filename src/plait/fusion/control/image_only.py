"""The control of every mask: a model that is trained without the text."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from plait.core.errors import ConfigError
from plait.core.types import Fused, Tokens
from plait.fusion.base.pairs import PairFusion, rows_of
from plait.nn.blocks import SelfBlock
from plait.nn.positions import sinusoid_2d

__all__ = ["ImageOnlyFusion"]


class ImageOnlyFusion(PairFusion):
    """Give the picture as it is, after self-attention over its cells: what can be had without reading a word.

    Formula: x' = LayerNorm(x) + g * sinusoid(row, column), then `layers` self-attention blocks and LayerNorm; the text
    is passed on unread.

    A trained model that is fed zeros in place of its text answers a question it was never asked. This one was trained
    for it: it learns which region of a photo is asked for most, and a fusion has to beat it to have read anything.

    Arguments:
        width:  D of both sides
        layers: self-attention blocks; 0 leaves each cell by itself
        heads, ratio, dropout: of those blocks
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) as it came and image (B, P, D) on its grid; no maps
    Requirements: masks only. Under a match score it would give every sentence the same photo.
    Raises:
        ConfigError: layers is below 0.
    Relations: `FilmFusion` with a gain of 0 and no shift.
    """

    shares_image = True

    def __init__(self, width: int, *, layers: int = 1, heads: int = 8, ratio: float = 2, dropout: float = 0.0) -> None:
        super().__init__()
        if layers < 0:
            raise ConfigError(f"fusion 'image_only', layers: expected at least 0, got {layers}")
        self.enter = nn.LayerNorm(width)
        self.gain = nn.Parameter(torch.ones(()))
        self.blocks = nn.ModuleList(SelfBlock(width, heads=heads, ratio=ratio, dropout=dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def prepare(self, text: Tokens, image: Tokens) -> tuple[Tokens, Tokens]:
        """Do all there is to do, once a picture."""
        values = self.enter(image.values)
        if image.grid is not None:
            values = values + self.gain * sinusoid_2d(image.grid, values.shape[-1]).to(values)
        for block in self.blocks:
            values = block(values, image.valid)
        return text, replace(image, values=self.norm(values), pooled=None)

    def meet(
        self,
        text: Tokens,
        image: Tokens,
        *,
        text_row: Tensor | None = None,
        image_row: Tensor | None = None,
        maps: bool = False,
    ) -> Fused:
        """Lay each pair's sides side by side; see the class."""
        return Fused(rows_of(text, text_row), rows_of(image, image_row))
