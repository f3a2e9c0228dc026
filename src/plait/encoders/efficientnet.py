"""EfficientNet-Lite2: the network, folded for fast frozen use, and the parts it is cut into."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from plait.core.errors import CheckpointError
from plait.core.types import Level, Tokens

__all__ = [
    "BLOCKS",
    "HEAD_WIDTH",
    "EfficientNetLite2",
    "FrozenHead",
    "FrozenTrunk",
    "TrainedTop",
    "load_efficientnet",
]

# (channels in, channels out, expansion, kernel, stride) of the 21 inverted-residual blocks
BLOCKS: tuple[tuple[int, int, int, int, int], ...] = (
    (32, 16, 1, 3, 1),
    (16, 24, 6, 3, 2),
    *((24, 24, 6, 3, 1),) * 2,
    (24, 48, 6, 5, 2),
    *((48, 48, 6, 5, 1),) * 2,
    (48, 88, 6, 3, 2),
    *((88, 88, 6, 3, 1),) * 3,
    (88, 120, 6, 5, 1),
    *((120, 120, 6, 5, 1),) * 3,
    (120, 208, 6, 5, 2),
    *((208, 208, 6, 5, 1),) * 4,
    (208, 352, 6, 3, 1),
)
STEM_WIDTH, HEAD_WIDTH, CLASSES = 32, 1280, 1000
IMAGES_PER_THREAD = 2


class _SameConv(nn.Conv2d):
    """Convolution padded as TensorFlow's SAME: output side = ceil(input side / stride), odd padding goes last."""

    def pad(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Give the input, padded here only where left and right differ, and the padding for the convolution to add."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        height, width = (max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[-2:])
        if height % 2 == 0 and width % 2 == 0:
            return x, (height // 2, width // 2)
        return F.pad(x, (width // 2, width - width // 2, height // 2, height - height // 2)), (0, 0)


class _FixedNorm(nn.Module):
    """Batch normalisation whose statistics never change, even in training; weight and bias may be trained.

    A few thousand images are too few to estimate new statistics, and cached tokens of earlier blocks were computed with
    the old ones.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, width: int, eps: float = 1e-3) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))
        self.register_buffer("num_batches_tracked", torch.tensor(0))


def _folded(conv: nn.Conv2d, norm: _FixedNorm) -> tuple[Tensor, Tensor]:
    """Give weight and bias of the one convolution that equals `conv` followed by `norm`."""
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return conv.weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale


class _ConvNorm(nn.Module):
    """What `_folded` gives, computed once and kept as buffers outside the state dict."""

    weight: Tensor
    bias: Tensor

    def __init__(self, conv: _SameConv, norm: _FixedNorm) -> None:
        super().__init__()
        weight, bias = (t.detach() for t in _folded(conv, norm))
        self.register_buffer("weight", weight.contiguous(memory_format=torch.channels_last), persistent=False)
        self.register_buffer("bias", bias.clone(), persistent=False)
        self.pad, self.stride, self.groups = conv.pad, conv.stride, conv.groups

    def forward(self, x: Tensor) -> Tensor:
        x, padding = self.pad(x)
        return F.conv2d(x, self.weight, self.bias, self.stride, padding, groups=self.groups)


def _conv_norm(x: Tensor, conv: _SameConv, norm: _FixedNorm) -> Tensor:
    """Apply a convolution and its normalisation as one convolution; gradients reach both.

    Folding in each step takes a product over the weights and saves two passes over the much larger activations.
    """
    x, padding = conv.pad(x)
    weight, bias = _folded(conv, norm)
    return F.conv2d(x, weight, bias, conv.stride, padding, groups=conv.groups)


def _relu6(x: Tensor) -> Tensor:
    # In place: the input is always a new tensor, and a copy would take a third of the total time.
    return F.relu6(x, inplace=True)


class _Block(nn.Module):
    """Inverted residual block: expand 1x1, depthwise kxk, project 1x1; the input is added where shapes allow.

    Shapes: (B, C in, H, W) -> (B, C out, ceil(H / stride), ceil(W / stride)) float
    """

    def __init__(self, width_in: int, width: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        inner = width_in * expansion
        self.expands = expansion != 1
        self.residual = stride == 1 and width_in == width
        if self.expands:
            self._expand_conv = _SameConv(width_in, inner, 1, bias=False)
            self._bn0 = _FixedNorm(inner)
        self._depthwise_conv = _SameConv(inner, inner, kernel, stride, groups=inner, bias=False)
        self._bn1 = _FixedNorm(inner)
        self._project_conv = _SameConv(inner, width, 1, bias=False)
        self._bn2 = _FixedNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        inner = _relu6(_conv_norm(x, self._expand_conv, self._bn0)) if self.expands else x
        inner = _relu6(_conv_norm(inner, self._depthwise_conv, self._bn1))
        inner = _conv_norm(inner, self._project_conv, self._bn2)
        return inner + x if self.residual else inner


class _FoldedBlock(nn.Module):
    """A frozen `_Block` with every normalisation folded into its convolution. Not differentiable in its weights."""

    def __init__(self, block: _Block) -> None:
        super().__init__()
        self.residual = block.residual
        self.expand = _ConvNorm(block._expand_conv, block._bn0) if block.expands else None
        self.depthwise = _ConvNorm(block._depthwise_conv, block._bn1)
        self.project = _ConvNorm(block._project_conv, block._bn2)

    def forward(self, x: Tensor) -> Tensor:
        inner = x if self.expand is None else _relu6(self.expand(x))
        inner = self.project(_relu6(self.depthwise(inner)))
        return inner + x if self.residual else inner


class EfficientNetLite2(nn.Module):
    """The complete classifier, with the state-dict keys of the published checkpoint.

    Shapes: pixels (B, 3, H, W) float, (x - 127) / 128 of 0..255 units -> (B, 1000) logits of ImageNet's classes
    Source: Tan & Le 2019, EfficientNet; the Lite variant has ReLU6 and no squeeze-and-excitation. Differs: no dropout,
    no stochastic depth, and normalisation statistics never change.
    """

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _SameConv(3, STEM_WIDTH, 3, 2, bias=False)
        self._bn0 = _FixedNorm(STEM_WIDTH)
        self._blocks = nn.ModuleList(_Block(*numbers) for numbers in BLOCKS)
        self._conv_head = _SameConv(BLOCKS[-1][1], HEAD_WIDTH, 1, bias=False)
        self._bn1 = _FixedNorm(HEAD_WIDTH)
        self._fc = nn.Linear(HEAD_WIDTH, CLASSES)

    def forward(self, pixels: Tensor) -> Tensor:
        x = _relu6(_conv_norm(pixels, self._conv_stem, self._bn0))
        for block in self._blocks:
            x = block(x)
        x = _relu6(_conv_norm(x, self._conv_head, self._bn1))
        return self._fc(x.mean((2, 3)))


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
        weight, bias = (t.detach() for t in _folded(net._conv_head, net._bn1))
        self.register_buffer("weight", weight.flatten(1).clone(), persistent=False)
        self.register_buffer("bias", bias.clone(), persistent=False)

    def forward(self, tokens: Tokens) -> Tokens:
        values = _relu6(F.linear(tokens.values.to(self.weight.dtype), self.weight, self.bias))
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
        self.stem = _ConvNorm(net._conv_stem, net._bn0)
        blocks = [_FoldedBlock(block) for block in net._blocks]  # type: ignore[arg-type]
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
        x = _relu6(self.stem(pixels.contiguous(memory_format=torch.channels_last)))
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
            x = _relu6(_conv_norm(pixels, self._conv_stem, self._bn0))
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
        features = _relu6(_conv_norm(x, self._conv_head, self._bn1))
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


def load_efficientnet(state: Mapping[str, Tensor], where: str) -> EfficientNetLite2:
    """Build the network from a checkpoint's tensors; every key must fit.

    Raises:
        CheckpointError: a key is missing, unknown, or of another shape.
    """
    net = EfficientNetLite2()
    try:
        net.load_state_dict(dict(state), strict=True)
    except RuntimeError as error:
        got = _first_lines(str(error))
        raise CheckpointError(
            f"{where}: expected the weights of EfficientNet-Lite2, got: {got}; reinstall it"
        ) from None
    return net.eval()


def _first_lines(text: str, count: int = 3) -> str:
    lines: Iterable[str] = (line.strip() for line in text.splitlines()[:count])
    return " ".join(line[:200] for line in lines)
