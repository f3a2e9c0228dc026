"""Positions of tokens in a row or on a grid, and their resampling to another grid."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from plait.core.checks import check_shapes
from plait.core.errors import ConfigError, ShapeError

__all__ = ["resample_grid", "sinusoid_1d", "sinusoid_2d"]


def _waves(places: Tensor, width: int) -> Tensor:
    """Give (N, width): sines then cosines of (N,) places at wavelengths from 2 pi to 20,000 pi."""
    steps = torch.arange(width // 2, dtype=torch.float64, device=places.device)
    rates = torch.exp(steps * (-math.log(10_000.0) / (width // 2)))
    angles = places.to(torch.float64)[:, None] * rates
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
        raise ConfigError(f"a row of positions needs an even width, got {width}; use {width + width % 2 or 2}")
    return _waves(torch.arange(n, device=device), width)


def sinusoid_2d(grid: tuple[int, int], width: int, *, device: torch.device | None = None) -> Tensor:
    """Encode the cells of a grid: half of the columns tell the row, half the column.

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


def resample_grid(table: Tensor, old: tuple[int, int], new: tuple[int, int]) -> Tensor:
    """Resample a table of positions, learned on one grid, to another grid.

    Shapes:
        table:   (h * w, D) float, row by row, with (h, w) = old
        returns: (h' * w', D) float with (h', w') = new; the table itself where the grids are equal
    Raises:
        ShapeError: the table does not have h * w rows.
    Source: Dosovitskiy et al. 2021, section 3.2. Differs: bicubic with antialiasing, as for photos.
    """
    check_shapes(("table", table, "N D"))
    if table.shape[0] != old[0] * old[1]:
        raise ShapeError(
            f"the table should have {old[0]} x {old[1]} = {old[0] * old[1]} rows, got {table.shape[0]}; "
            "leave out class tokens and name the grid it was learned on"
        )
    if old == new:
        return table
    cells = table.T.reshape(1, -1, *old).float()
    resampled = F.interpolate(cells, size=new, mode="bicubic", align_corners=False, antialias=True)
    return resampled[0].flatten(1).T.to(table.dtype)
