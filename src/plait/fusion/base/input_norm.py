"""What both sides pass before layers that mix them: a layer norm, a mark for the side, and the place on the grid."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from plait.core.types import Tokens
from plait.nn.positions import sinusoid_2d

__all__ = ["InputNorm"]


class InputNorm(nn.Module):
    """Bring both sides to one scale and mark tokens with their side and, for grids, their place.

    Formula: text = LayerNorm(text) + m_text;  image = LayerNorm(image) + m_image + g * sinusoid(row, column), with
    learned m and gain g. Tokens without a grid get no place.

    Arguments:
        width:     D of both sides
        sides:     learn m_text and m_image; else they are left out
        positions: add the place; g begins at 1
    Shapes:
        text:  (B, T, D) -> (B, T, D)
        image: (B, P, D) -> (B, P, D)
    Source: the sinusoids of Vaswani et al. 2017, half for rows and half for columns. Differs: the gain is learned,
    since some encoders carry places already and others (a small CNN's grid) hardly do.
    """

    def __init__(self, width: int, *, sides: bool, positions: bool) -> None:
        super().__init__()
        self.text_norm = nn.LayerNorm(width)
        self.image_norm = nn.LayerNorm(width)
        self.sides = nn.Parameter(0.02 * torch.randn(2, width)) if sides else None
        self.gain = nn.Parameter(torch.ones(())) if positions else None

    def text(self, text: Tokens) -> Tensor:
        """Give the words' values, (B, T, D); see the class."""
        words: Tensor = self.text_norm(text.values)
        return words if self.sides is None else words + self.sides[0]

    def image(self, image: Tokens) -> Tensor:
        """Give the regions' values, (B, P, D); see the class."""
        regions: Tensor = self.image_norm(image.values)
        if self.sides is not None:
            regions = regions + self.sides[1]
        if self.gain is not None and image.grid is not None:
            places = sinusoid_2d(image.grid, regions.shape[-1], device=regions.device).to(regions.dtype)
            regions = regions + self.gain * places
        return regions
