"""A small vision transformer, trained from scratch."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from plait.core.errors import ConfigError, ShapeError
from plait.core.types import EncoderParts, ImageSpec, Tokens
from plait.nn.blocks import SelfBlock
from plait.nn.positions import sinusoid_2d

__all__ = ["SmallVit", "vit_small"]


class SmallVit(nn.Module):
    """Cut an image into patches and apply self-attention.

    Arguments:
        patch_px: side of a patch
        width:    of the tokens; a multiple of 4 and of `heads`
        depth:    number of blocks
        heads:    of each block's attention
        dropout:  part of each block's outputs set to 0 in training
    Shapes:
        pixels:  (B, 3, H, W) float, sides multiples of `patch_px`
        returns: `Tokens` values (B, h * w, width), layer-normalised, all valid, grid (H / patch_px, W / patch_px)
    Raises:
        ShapeError: a side is not a multiple of the patch.
    Source: Dosovitskiy et al. 2021, ViT. Differs: no class token, and fixed 2-D sinusoids as positions, which fit
    any grid.
    """

    def __init__(
        self, *, patch_px: int = 8, width: int = 192, depth: int = 4, heads: int = 4, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if patch_px < 1 or depth < 1 or width % 4:
            raise ConfigError(
                f"vit_small: expected patch and depth above 0 and a width divisible by 4, "
                f"got {patch_px}, {depth} and {width}"
            )
        self.patch_px = patch_px
        self.embed = nn.Conv2d(3, width, patch_px, patch_px)
        self.blocks = nn.ModuleList(SelfBlock(width, heads=heads, dropout=dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, pixels: Tensor) -> Tokens:
        if pixels.shape[-2] % self.patch_px or pixels.shape[-1] % self.patch_px:
            raise ShapeError(
                f"pixels: expected sides that are multiples of {self.patch_px}, got {tuple(pixels.shape[-2:])}; "
                "change image.size_px or the option patch"
            )
        x = self.embed(pixels)
        grid = (x.shape[2], x.shape[3])
        values = x.flatten(2).transpose(1, 2)
        values = values + sinusoid_2d(grid, values.shape[-1], device=values.device).to(values)
        valid = torch.ones(values.shape[:2], dtype=torch.bool, device=values.device)
        for block in self.blocks:
            values = block(values, valid)
        return Tokens(self.norm(values), valid, grid=grid)


def vit_small(
    *,
    size_px: int = 64,
    fit: Literal["squash", "crop", "pad"] = "squash",
    patch: int = 8,
    width: int = 192,
    depth: int = 4,
    heads: int = 4,
    dropout: float = 0.0,
) -> EncoderParts:
    """Build a small vision transformer, trained from scratch with the model. See `SmallVit`.

    Arguments:
        size_px: side of the square input, a multiple of `patch`
        fit:     see `ImageSpec`
        patch:   side of a patch in pixels
    """
    if size_px < patch or size_px % patch:
        raise ConfigError(f"image.size_px: expected a multiple of the option patch ({patch}), got {size_px}")
    tower = SmallVit(patch_px=patch, width=width, depth=depth, heads=heads, dropout=dropout)
    spec = ImageSpec(size_px, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bicubic", fit)
    identity = f"vit_small size_px={size_px} patch={patch} width={width} depth={depth} heads={heads}"
    return EncoderParts(None, tower, width, None, spec, identity)
