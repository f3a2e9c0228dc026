"""A small residual convolutional network, trained from scratch."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from plait.core.errors import ConfigError
from plait.core.types import EncoderParts, ImageSpec, Tokens
from plait.nn.positions import sinusoid_2d

__all__ = ["SmallCnn", "cnn_small"]

GROUPS = 8


class _Residual(nn.Module):
    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width_in, width, 3, stride, padding=1, bias=False)
        self.first_norm = nn.GroupNorm(GROUPS, width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = nn.GroupNorm(GROUPS, width)
        same = stride == 1 and width_in == width
        self.skip = nn.Identity() if same else nn.Conv2d(width_in, width, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu(self.first_norm(self.first(x)))
        return F.relu(self.second_norm(self.second(inner)) + self.skip(x))


class SmallCnn(nn.Module):
    """Turn an image into a grid of features with positions.

    Arguments:
        width:  of the tokens; a multiple of 8. The first stage has a quarter of it, the second half.
        stride: 8 or 16 pixels per token
        blocks: residual blocks per stage
    Shapes:
        pixels:  (B, 3, H, W) float
        returns: `Tokens` values (B, h * w, width), layer-normalised, all valid; grid of
            (ceil(H / stride), ceil(W / stride))
    Source: He et al. 2016, basic blocks. Differs: group normalisation, which is the same in training and evaluation
    and for any batch size; 2-D sinusoids are added at the end, so that attention can distinguish left and right.
    """

    def __init__(self, *, width: int = 128, stride: int = 8, blocks: int = 1) -> None:
        super().__init__()
        if stride not in (8, 16) or width < 4 * GROUPS or width % (4 * GROUPS) or blocks < 1:
            raise ConfigError(
                f"cnn_small: expected stride 8 or 16, a width divisible by {4 * GROUPS} and at least one block, "
                f"got {stride}, {width} and {blocks}"
            )
        widths = [width // 4, width // 2, width] + ([width] if stride == 16 else [])
        self.stem = nn.Conv2d(3, widths[0], 3, padding=1, bias=False)
        self.stem_norm = nn.GroupNorm(GROUPS, widths[0])
        stages: list[nn.Module] = []
        before = widths[0]
        for after in widths:
            stages += [_Residual(before, after, 2), *(_Residual(after, after, 1) for _ in range(blocks - 1))]
            before = after
        self.stages = nn.Sequential(*stages)
        self.project = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, pixels: Tensor) -> Tokens:
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        x = self.stages(F.relu(self.stem_norm(self.stem(pixels))))
        grid = (x.shape[2], x.shape[3])
        values = self.project(x.flatten(2).transpose(1, 2))
        values = self.norm(values + sinusoid_2d(grid, values.shape[-1], device=values.device).to(values))
        return Tokens(values, torch.ones(values.shape[:2], dtype=torch.bool, device=values.device), grid=grid)


def cnn_small(
    *,
    size_px: int = 64,
    fit: Literal["squash", "crop", "pad"] = "squash",
    width: int = 128,
    stride: int = 8,
    blocks: int = 1,
) -> EncoderParts:
    """Build a small convolutional network, trained from scratch with the model. See `SmallCnn`.

    Arguments:
        size_px: side of the square input, at least the stride
        fit:     see `ImageSpec`
    """
    if size_px < stride:
        raise ConfigError(f"image.size_px: expected at least the option stride ({stride}), got {size_px}")
    tower = SmallCnn(width=width, stride=stride, blocks=blocks)
    spec = ImageSpec(size_px, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bicubic", fit)
    identity = f"cnn_small size_px={size_px} width={width} stride={stride} blocks={blocks}"
    return EncoderParts(None, tower, width, None, spec, identity)
