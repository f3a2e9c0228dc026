"""Decoders: from a fused pair to the region that its text refers to, over the grid or from one vector."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plait.core.errors import ConfigError, ShapeError
from plait.core.types import Fused, Level, MaskLogits
from plait.heads.base import MaskHead
from plait.nn.pooling import masked_mean
from plait.nn.precision import to_channels_last

__all__ = ["SpatialDecoder", "VectorDecoder", "resize_map"]

VECTOR_SIDES = tuple(7 << doublings for doublings in range(7))
FEWEST = 16  # channels of a map


def resize_map(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Resample a map of cells to another grid over the same square, bilinear; places keep their position.

    Cells divide the square evenly, except where one grid is the other taken at every second cell from the first on (9
    cells of 17): there the outermost centres coincide, as strided convolutions with padding give.

    Shapes:
        values:  (B, C, h, w) float
        size:    (h', w')
        returns: (B, C, h', w') float; the values themselves where the grids are equal
    """
    old = (values.shape[2], values.shape[3])
    if old == size:
        return values
    strided = all(new == 2 * was - 1 and was > 1 for was, new in zip(old, size, strict=True))
    return F.interpolate(values, size=size, mode="bilinear", align_corners=strided)


class SpatialDecoder(MaskHead):
    """Decode the fused grid to a mask, coarse to fine, with the image encoder's features at finer strides.

    Formula: z = P LayerNorm(fused image) on its grid. For each finer level s, coarse to fine:
        z = gelu(LayerNorm(Conv3x3(up(R z) + up(sigmoid(G z)) * S LayerNorm(s)))),
    up to the level's grid. Then `doublings` times z = up2(gelu(LayerNorm(Conv3x3(z)))), and a last Conv3x3 to one logit
    per cell. Each step after the first has half as many channels, at least 16. Norms are over the channels of a cell,
    so that a place is decoded from its neighbourhood alone.

    Text reaches a level through the gate G alone, and the decoder depends on the text through the fusion alone: it
    cannot make up for a fusion that ignores the text.

    Arguments:
        width:     D of the fused image
        skips:     width of each finer level, coarse to fine; () = none
        channels:  of z at first; at least 16
        doublings: of the resolution after the finest level; -1 = 1 with levels, 2 without
        start:     first value of the last bias: the logit of the expected share of foreground before training; -2 is
                   12 %
    Shapes:
        fused:   image (B, P, D) float on a grid; the text is not read
        levels:  the image's finer grids, (B, N, D') each, in any precision; None = those of the fused image
        returns: MaskLogits (B, h, w), h and w of the finest grid times 2^doublings
    Raises:
        ConfigError: channels below 16, doublings below -1.
        ShapeError: no grid, or levels of other widths than `skips`.
    Source: Lin et al. 2017 (FPN) and Ronneberger et al. 2015 (U-Net) for the levels; Oktay et al. 2018 (attention
    U-Net) for the gate. Differs: levels are added, not concatenated, which halves the convolutions; the gate has one
    value per channel, not one per cell, and is computed on the coarser grid.
    """

    def __init__(
        self,
        width: int,
        *,
        skips: Sequence[int] = (),
        channels: int = 64,
        doublings: int = -1,
        start: float = -2.0,
    ) -> None:
        super().__init__()
        if doublings < -1:
            raise ConfigError(f"spatial decoder, doublings: expected at least -1, got {doublings}")
        doublings = (1 if skips else 2) if doublings == -1 else doublings
        if channels < FEWEST:
            raise ConfigError(f"spatial decoder, channels: expected at least {FEWEST}, got {channels}")
        steps = len(skips) + doublings
        widths = [channels, *(max(FEWEST, channels >> n) for n in range(steps))]
        self.width = width
        self.skips = tuple(skips)
        self.project = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, channels))
        steps_widths = list(pairwise(widths))
        self.merges = nn.ModuleList(
            _Merge(skip, before, after) for skip, (before, after) in zip(self.skips, steps_widths, strict=False)
        )
        self.doublings = nn.ModuleList(_smooth(before, after) for before, after in steps_widths[len(skips) :])
        self.last = nn.Conv2d(widths[-1], 1, 3, padding=1)
        _start_at(self.last, start)

    def forward(self, fused: Fused, levels: tuple[Level, ...] | None = None) -> MaskLogits:
        """Decode aligned pairs; see the class."""
        image = fused.image if fused.image_row is None else fused.image.take(fused.image_row)
        if image.grid is None or image.values.shape[-1] != self.width:
            raise ShapeError(
                f"spatial decoder: expected a fused image of width {self.width} on a grid, got "
                f"{tuple(image.values.shape)} and grid {image.grid}; pooled forms need the vector decoder"
            )
        levels = image.levels if levels is None else levels
        found = tuple(level.values.shape[-1] for level in levels)
        if found != self.skips:
            raise ShapeError(
                f"spatial decoder: expected finer levels of widths {self.skips}, got {found}; build it with the "
                "image encoder's own level_widths"
            )
        cells = self.project(image.values.masked_fill(~image.valid[..., None], 0.0))
        values = _map_of(cells, image.grid)
        for merge, level in zip(self.merges, levels, strict=True):
            values = merge(values, level)
        for smooth in self.doublings:
            values = smooth(values)
            values = resize_map(values, (2 * values.shape[2], 2 * values.shape[3]))
        return MaskLogits(self.last(values)[:, 0])


class _Merge(nn.Module):
    """Add one finer level; see `SpatialDecoder`."""

    def __init__(self, skip: int, before: int, after: int) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.LayerNorm(skip), nn.Linear(skip, after))
        self.reduce = nn.Conv2d(before, after, 1)
        self.gate = nn.Conv2d(before, after, 1)
        self.smooth = _smooth(after, after)

    def forward(self, coarse: Tensor, level: Level) -> Tensor:
        """Give (B, after, h, w) on the level's grid."""
        both = torch.cat([self.reduce(coarse), torch.sigmoid(self.gate(coarse))], 1)
        coarse, gate = resize_map(both, level.grid).chunk(2, 1)
        fine = _map_of(self.project(level.values.to(self.reduce.weight.dtype)), level.grid)
        smoothed: Tensor = self.smooth(coarse + gate * fine)
        return smoothed


class VectorDecoder(MaskHead):
    """Decode a mask from one vector by a stack of transposed convolutions, seven of them up to 224 x 224.

    Formula: v = mean of the fused image's real tokens; 1 x 1 -> 7 x 7 -> 14 -> 28 -> 56 -> 112 -> 224 -> one logit per
    pixel, with GroupNorm and ReLU between the layers. With a smaller side the stack ends sooner.

    Arguments:
        width:    D of the fused image
        channels: after the first layer; halved by each doubling, at least 8; a multiple of 8
        side:     of the mask, 7 times a power of two; 56 takes four tenths of the time of 224
        start:    first value of the last bias, as in `SpatialDecoder`
    Shapes:
        fused:   image (B, P, D) float; the text is not read
        levels:  not read
        returns: MaskLogits (B, side, side)
    Requirements: the vector must hold all that is known of places. A baseline.
    Raises:
        ConfigError: channels is no multiple of 8, or side is not 7 times a power of two.
        ShapeError: the fused width is not `width`.
    Source: Anumula et al., masks from instructions ("a series of transposed convolution layers" to the mask's size).
    Differs: it gives neither channels nor norms; both are chosen here.
    """

    def __init__(self, width: int, *, channels: int = 256, side: int = 224, start: float = -2.0) -> None:
        super().__init__()
        if channels < 8 or channels % 8:
            raise ConfigError(f"vector decoder, channels: expected a multiple of 8, got {channels}")
        if side not in VECTOR_SIDES:
            raise ConfigError(f"vector decoder, side: expected one of {VECTOR_SIDES}, got {side}")
        self.width = width
        layers: list[nn.Module] = [nn.ConvTranspose2d(width, channels, 7)]
        for _ in range(VECTOR_SIDES.index(side)):
            fewer = max(8, channels // 16 * 8)
            layers += [_norm(channels), nn.ReLU(), nn.ConvTranspose2d(channels, fewer, 4, stride=2, padding=1)]
            channels = fewer
        last = nn.ConvTranspose2d(channels, 1, 3, padding=1)
        _start_at(last, start)
        # Channels last in memory: on CPUs the stack then takes two thirds of the time.
        self.layers = to_channels_last(nn.Sequential(*layers, _norm(channels), nn.ReLU(), last))

    def forward(self, fused: Fused, levels: tuple[Level, ...] | None = None) -> MaskLogits:
        """Decode aligned pairs; see the class."""
        vector = masked_mean(fused.image.values, fused.image.valid)
        if vector.shape[-1] != self.width:
            raise ShapeError(f"vector decoder: expected a fused image of width {self.width}, got {vector.shape[-1]}")
        logits = self.layers(vector[..., None, None])[:, 0]
        return MaskLogits(logits if fused.image_row is None else logits[fused.image_row])


def _start_at(last: nn.Conv2d | nn.ConvTranspose2d, logit: float) -> None:
    """Let the last layer give about one logit everywhere at first, as in Lin et al. 2017 (focal loss), section 4.1."""
    nn.init.normal_(last.weight, std=0.01)
    nn.init.constant_(cast(Tensor, last.bias), logit)


def _map_of(cells: Tensor, grid: tuple[int, int]) -> Tensor:
    """Lay (B, h * w, C) tokens on their grid: (B, C, h, w), channels last in memory as they are."""
    return cells.unflatten(1, grid).permute(0, 3, 1, 2)


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(channels // 8, channels)


class _CellNorm(nn.LayerNorm):
    """Layer norm over the channels of each cell: other cells, padding included, have no influence."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (B, C, h, w) over C."""
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def _smooth(channels: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, after, 3, padding=1), _CellNorm(after), nn.GELU())
