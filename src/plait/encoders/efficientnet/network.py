"""EfficientNet-Lite2: the network, and its blocks folded for fast frozen use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from plait.core.errors import CheckpointError

__all__ = [
    "BLOCKS",
    "HEAD_WIDTH",
    "Block",
    "ConvNorm",
    "EfficientNetLite2",
    "FoldedBlock",
    "conv_norm",
    "folded",
    "load_efficientnet",
    "relu6",
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


def folded(conv: nn.Conv2d, norm: _FixedNorm) -> tuple[Tensor, Tensor]:
    """Give weight and bias of the one convolution that equals `conv` followed by `norm`."""
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return conv.weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale


class ConvNorm(nn.Module):
    """What `folded` gives, computed once and kept as buffers outside the state dict.

    Shapes: (B, C in, H, W) -> (B, C out, ceil(H / stride), ceil(W / stride)) float
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, conv: _SameConv, norm: _FixedNorm) -> None:
        super().__init__()
        weight, bias = (t.detach() for t in folded(conv, norm))
        self.register_buffer("weight", weight.contiguous(memory_format=torch.channels_last), persistent=False)
        self.register_buffer("bias", bias.clone(), persistent=False)
        self.pad, self.stride, self.groups = conv.pad, conv.stride, conv.groups

    def forward(self, x: Tensor) -> Tensor:
        x, padding = self.pad(x)
        return F.conv2d(x, self.weight, self.bias, self.stride, padding, groups=self.groups)


def conv_norm(x: Tensor, conv: _SameConv, norm: _FixedNorm) -> Tensor:
    """Apply a convolution and its normalisation as one convolution; gradients reach both.

    Folding in each step takes a product over the weights and saves two passes over the much larger activations.

    Shapes: (B, C in, H, W) -> (B, C out, ceil(H / stride), ceil(W / stride)) float
    """
    x, padding = conv.pad(x)
    weight, bias = folded(conv, norm)
    return F.conv2d(x, weight, bias, conv.stride, padding, groups=conv.groups)


def relu6(x: Tensor) -> Tensor:
    """Bound (B, C, H, W), or any shape, to [0, 6], in place."""
    # In place: the input is always a new tensor, and a copy would take a third of the total time.
    return F.relu6(x, inplace=True)


class Block(nn.Module):
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
        inner = relu6(conv_norm(x, self._expand_conv, self._bn0)) if self.expands else x
        inner = relu6(conv_norm(inner, self._depthwise_conv, self._bn1))
        inner = conv_norm(inner, self._project_conv, self._bn2)
        return inner + x if self.residual else inner


class FoldedBlock(nn.Module):
    """A frozen `Block` with every normalisation folded into its convolution. Not differentiable in its weights.

    Shapes: (B, C in, H, W) -> (B, C out, ceil(H / stride), ceil(W / stride)) float
    """

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.residual = block.residual
        self.expand = ConvNorm(block._expand_conv, block._bn0) if block.expands else None
        self.depthwise = ConvNorm(block._depthwise_conv, block._bn1)
        self.project = ConvNorm(block._project_conv, block._bn2)

    def forward(self, x: Tensor) -> Tensor:
        inner = x if self.expand is None else relu6(self.expand(x))
        inner = self.project(relu6(self.depthwise(inner)))
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
        self._blocks = nn.ModuleList(Block(*numbers) for numbers in BLOCKS)
        self._conv_head = _SameConv(BLOCKS[-1][1], HEAD_WIDTH, 1, bias=False)
        self._bn1 = _FixedNorm(HEAD_WIDTH)
        self._fc = nn.Linear(HEAD_WIDTH, CLASSES)

    def forward(self, pixels: Tensor) -> Tensor:
        x = relu6(conv_norm(pixels, self._conv_stem, self._bn0))
        for block in self._blocks:
            x = block(x)
        x = relu6(conv_norm(x, self._conv_head, self._bn1))
        return self._fc(x.mean((2, 3)))


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
