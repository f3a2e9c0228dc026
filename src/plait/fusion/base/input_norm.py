"""What happens to both sides before layers that mix them: layer norm, whose token it is, and where it lies."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from plait.core.types import Tokens
from plait.nn.positions import sinusoid_2d

__all__ = ["Entrance"]


class Entrance(nn.Module):
    """Bring both sides to one scale and mark tokens with their side and, for grids, their place.

    Formula: text = LayerNorm(text) + m_text;  image = LayerNorm(image) + m_image + g * sinusoid(row, column), with
    learned m and gain g. Tokens without a grid get no place.

    Arguments:
        width:     D of both sides
        sides:     learn m_text and m_image; else they are left out
        positions: add the place; g begins at 1
    Shapes:
        text:    values (B, T, D); image: values (B, P, D)
        returns: text (B, T, D) and image (B, P, D)
    Source: the sinusoids of Vaswani et al. 2017, half for rows and half for columns. Differs: the gain is learned,
    since some encoders carry places already and others (a small CNN's grid) hardly do.
    """

    def __init__(self, width: int, *, sides: bool, positions: bool) -> None:
        super().__init__()
        self.text_norm = nn.LayerNorm(width)
        self.image_norm = nn.LayerNorm(width)
        self.sides = nn.Parameter(0.02 * torch.randn(2, width)) if sides else None
        self.gain = nn.Parameter(torch.ones(())) if positions else None

    def forward(self, text: Tokens, image: Tokens) -> tuple[Tensor, Tensor]:
        """Give both sides' values; see the class."""
        words, regions = self.text_norm(text.values), self.image_norm(image.values)
        if self.sides is not None:
            words, regions = words + self.sides[0], regions + self.sides[1]
        if self.gain is not None and image.grid is not None:
            places = sinusoid_2d(image.grid, regions.shape[-1]).to(regions)
            regions = regions + self.gain * places
        return words, regions
