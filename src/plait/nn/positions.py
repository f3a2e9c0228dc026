"""Positions of tokens in a row or on a grid."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from plait.core.errors import ConfigError

__all__ = ["sinusoid_1d", "sinusoid_2d"]


def _waves(places: Tensor, width: int) -> Tensor:
    """Give (N, width): sines then cosines of (N,) places at wavelengths from 2 pi to 20,000 pi."""
    # Apple GPUs have no float64.
    dtype = torch.float32 if places.device.type == "mps" else torch.float64
    columns = torch.arange(width // 2, dtype=dtype, device=places.device)
    rates = torch.exp(columns * (-math.log(10_000.0) / (width // 2)))
    angles = places.to(dtype)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1).float()


def sinusoid_1d(n: int, width: int, *, device: torch.device | None = None) -> Tensor:
    """Encode the places 0 .. n - 1 by sines and cosines.

    Formula: columns i < width / 2 hold sin(place / 10000^(2 i / width)), the others the cosines in the same order.

    Shapes:
        returns: (n, width) float32 in [-1, 1], on `device`
    Raises:
        ConfigError: width is not even.
    Source: Vaswani et al. 2017, section 3.5. Differs: sines and cosines lie in two halves instead of alternating.
    """
    if width < 2 or width % 2:
        raise ConfigError(f"positions in a sequence need an even width, got {width}; use {width + width % 2 or 2}")
    return _waves(torch.arange(n, device=device), width)


def sinusoid_2d(grid: tuple[int, int], width: int, *, device: torch.device | None = None) -> Tensor:
    """Encode the cells of a grid: half of the columns encode the row, half the column.

    Shapes:
        grid:    (h, w)
        returns: (h * w, width) float32 in [-1, 1], row by row, on `device`
    Raises:
        ConfigError: width is not a multiple of 4.
    Source: the fixed 2-D encoding of He et al. 2022 (MAE). Differs: the row comes first.
    """
    if width < 4 or width % 4:
        raise ConfigError(
            f"positions on a grid need a width that is a multiple of 4, got {width}; use {max(4, -(-width // 4) * 4)}"
        )
    rows, columns = grid
    y = _waves(torch.arange(rows, device=device), width // 2)[:, None].expand(-1, columns, -1)
    x = _waves(torch.arange(columns, device=device), width // 2)[None].expand(rows, -1, -1)
    return torch.cat([y, x], dim=2).reshape(rows * columns, width)
