"""The parts that EfficientNet-Lite2 is cut into: a frozen trunk, a frozen head, and a top that is trained."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from plait.core.types import Level, Tokens
from plait.encoders.efficientnet.network import (
    BLOCKS,
    ConvNorm,
    EfficientNetLite2,
    FoldedBlock,
    conv_norm,
    folded,
    relu6,
)

__all__ = ["FrozenHead", "FrozenTrunk", "TrainedTop"]

IMAGES_PER_THREAD = 2


class FrozenHead(nn.Module):
    """The last 1x1 convolution, frozen, over tokens: 352 -> 1280 wide.

    It is applied after the cache: 352-wide tokens are a quarter of the bytes. Its buffers are not in the state dict,
    because its weights are the package's.

    Shapes: `Tokens` values (B, N, 352) -> values (B, N, 1280) in [0, 6]; everything else unchanged
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, net: EfficientNetLite2) -> None:
        super().__init__()
        weight, bias = (t.detach() for t in folded(net._conv_head, net._bn1))
        self.register_buffer("weight", weight.flatten(1).clone(), persistent=False)
        self.register_buffer("bias", bias.clone(), persistent=False)

    def forward(self, tokens: Tokens) -> Tokens:
        values = relu6(F.linear(tokens.values.to(self.weight.dtype), self.weight, self.bias))
        return replace(tokens, values=values)


class FrozenTrunk(nn.Module):
    """Stem and first blocks, folded: pixels -> Tokens on the grid after block `last`.

    Arguments:
        net:    where the weights come from
        last:   number of blocks before the output, 0 to 21
        pooled: also give the classifier's features: run the remaining blocks and the head, and average
        levels: also give the finer grids after these numbers of blocks, below `last`, coarse to fine
    Shapes:
        pixels:  (B, 3, H, W) float32
        returns: `Tokens` values (B, h * w, C), all valid, grid (h, w); pooled (B, 1280) or None; one level per number
    """

    def __init__(self, net: EfficientNetLite2, *, last: int, pooled: bool, levels: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.levels = levels
        self.stem = ConvNorm(net._conv_stem, net._bn0)
        blocks = [FoldedBlock(block) for block in net._blocks]  # type: ignore[arg-type]
        self.blocks = nn.Sequential(*blocks[:last])
        self.rest = nn.Sequential(*blocks[last:]) if pooled else None
        self.head = FrozenHead(net) if pooled else None
        self.eval()

    def forward(self, pixels: Tensor) -> Tokens:
        parts = [self._encode(some) for some in pixels.split(_images_at_once(pixels))]
        pooled = [part.pooled for part in parts if part.pooled is not None]
        return Tokens(
            torch.cat([part.values for part in parts]),
            torch.cat([part.valid for part in parts]),
            grid=parts[0].grid,
            pooled=torch.cat(pooled) if pooled else None,
            levels=tuple(
                Level(torch.cat([level.values for level in same]), same[0].grid)
                for same in zip(*(part.levels for part in parts), strict=True)
            ),
        )

    def _encode(self, pixels: Tensor) -> Tokens:
        x = relu6(self.stem(pixels.contiguous(memory_format=torch.channels_last)))
        passed: dict[int, Level] = {}
        for number, block in enumerate(self.blocks, start=1):
            x = block(x)
            if number in self.levels:
                grid = _as_tokens(x)
                passed[number] = Level(grid.values, grid.grid or (0, 0))  # tokens of a map always have a grid
        tokens = replace(_as_tokens(x), levels=tuple(passed[number] for number in self.levels))
        if self.head is None or self.rest is None:
            return tokens
        return replace(tokens, pooled=self.head(_as_tokens(self.rest(x))).values.mean(1))


def _images_at_once(pixels: Tensor) -> int:
    """Give how many images to encode together: a processor is faster with few, other devices take all.

    On a processor the wide early maps of a few images stay in its cache: half the time of 16 at once. In half precision
    maps are half as large, and weights are converted for each part: twice as many.
    """
    if pixels.device.type != "cpu":
        return max(1, len(pixels))
    few = max(2, IMAGES_PER_THREAD * torch.get_num_threads())
    return 2 * few if torch.is_autocast_enabled(pixels.device.type) else few


class TrainedTop(nn.Module):
    """The last blocks, and at stride 32 the head, trained: Tokens on the cut's grid (or pixels) -> Tokens.

    State-dict keys are the checkpoint's own (`_blocks.20._bn2.weight`, `_conv_head.weight`, ...).

    Arguments:
        net:   where the weights come from; its modules are used, not copied
        first: number of blocks that are frozen; -1 = none, and the stem is trained as well (the input is pixels then)
        last:  number of blocks before the output
        head:  give the head's 1280-wide tokens rather than the last block's; needs last = 21
        augment: in training, mirror the cut's map (each image with probability 1/2) and drop one row and one column at
               a random edge (the same for the batch). A convolution's map of a mirrored image is nearly the mirrored
               map, so cached maps can be varied without encoding the images again.
    Shapes:
        input:   `Tokens` values (B, h * w, C at the cut) on grid (h, w); or pixels (B, 3, H, W) float32
        returns: `Tokens` values (B, h' * w', D), grid (h', w'); pooled (B, 1280) where last = 21, else None
    """

    def __init__(self, net: EfficientNetLite2, *, first: int, last: int, head: bool, augment: bool = False) -> None:
        super().__init__()
        self.head = head
        self.augment = augment
        if first < 0:
            self._conv_stem, self._bn0 = net._conv_stem, net._bn0
        self.reads_pixels = first < 0
        self._blocks = nn.ModuleDict({str(n): net._blocks[n] for n in range(max(first, 0), last)})
        self.to_end = last == len(BLOCKS)
        if self.to_end:
            self._conv_head, self._bn1 = net._conv_head, net._bn1

    def forward(self, tokens: Tokens | Tensor) -> Tokens:
        if isinstance(tokens, Tensor):
            pixels = tokens.contiguous(memory_format=torch.channels_last)
            x = relu6(conv_norm(pixels, self._conv_stem, self._bn0))
        else:
            x = _as_map(tokens).to(next(self.parameters()).dtype)
            x = _varied(x) if self.augment and self.training else x
            x = x.contiguous(memory_format=torch.channels_last)
        for block in self._blocks.values():
            x = block(x)
        # Finer grids are from frozen blocks before the cut and stay unchanged.
        levels = () if isinstance(tokens, Tensor) else tokens.levels
        if not self.to_end:
            return replace(_as_tokens(x), levels=levels)
        features = relu6(conv_norm(x, self._conv_head, self._bn1))
        return replace(_as_tokens(features if self.head else x), pooled=features.mean((2, 3)), levels=levels)


def _varied(x: Tensor) -> Tensor:
    """Mirror half of the maps (B, C, h, w) and cut one row and one column off; drawn from the global generator."""
    mirrored = torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5
    x = torch.where(mirrored, x.flip(-1), x)
    top, left = torch.randint(2, (2,)).tolist()
    return x[:, :, top : top + x.shape[2] - 1, left : left + x.shape[3] - 1]


def _as_tokens(x: Tensor) -> Tokens:
    batch, width, height, breadth = x.shape
    values = x.permute(0, 2, 3, 1).reshape(batch, height * breadth, width)
    valid = torch.ones(batch, height * breadth, dtype=torch.bool, device=x.device)
    return Tokens(values, valid, grid=(height, breadth))


def _as_map(tokens: Tokens) -> Tensor:
    height, width = tokens.grid or (0, 0)  # tokens of a trunk always have a grid
    return tokens.values.reshape(len(tokens), height, width, -1).permute(0, 3, 1, 2)
