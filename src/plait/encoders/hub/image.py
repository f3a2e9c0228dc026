"""Image encoders of transformers: ResNet's feature grid, ViT's and CLIP's patches, and others that give either."""

from __future__ import annotations

import inspect
import math
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from plait.core.errors import CheckpointError, ConfigError, ShapeError
from plait.core.types import EncoderParts, ImageSpec, Tokens
from plait.encoders.hub.folder import find_folder, folder_identity, read_json
from plait.encoders.hub.text import load_tower, towers_of

__all__ = ["HubImage", "hub_image", "read_image_spec"]

# Models with two towers, and the class of the image side; every other type is left to AutoModel.
IMAGE_TOWERS = {
    "clip": "CLIPVisionModel",
    "clip_vision_model": "CLIPVisionModel",
    "siglip": "SiglipVisionModel",
    "siglip_vision_model": "SiglipVisionModel",
}
# Those whose patches can be projected to the space that they share with texts.
SHARED_TOWERS = {"clip": "CLIPVisionModelWithProjection"}
BILINEAR, BICUBIC = 2, 3  # Pillow's numbers, which the files use


class HubImage(nn.Module):
    """An image model of transformers as an encoder.

    A feature map becomes one token per cell, and `pooled` is the model's own average. Of a sequence, the tokens before
    its patches (class and register tokens) are dropped; `pooled` is the model's pooler for CLIP, else the class token.
    With `shared`, patches and `pooled` go through the model's last norm and its projection to the space of its texts.

    Arguments:
        model:         gives `last_hidden_state` for pixels
        patch_px:      side of a patch, or None if unknown (feature maps)
        interpolate:   resample the learned positions, where the size differs from that of the model's training
        trusts_pooler: use the pooler even where there is a class token
        shared:        the model has a `visual_projection`; give tokens of the shared space
    Shapes:
        pixels:  (B, 3, H, W) float32
        returns: `Tokens` values (B, h * w, D), all valid, grid (h, w), pooled (B, D') or None
    Raises:
        ShapeError: the number of tokens fits no grid.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        patch_px: int | None,
        interpolate: bool,
        trusts_pooler: bool,
        shared: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.patch_px = patch_px
        self.options = {"interpolate_pos_encoding": True} if interpolate else {}
        self.trusts_pooler = trusts_pooler
        self.shared = shared

    def train(self, mode: bool = True) -> HubImage:
        """Switch dropout, but keep the batch statistics of pretraining: fine-tuning has too few images for new ones."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
        return self

    def forward(self, pixels: Tensor) -> Tokens:
        out = self.model(pixel_values=pixels, **self.options)
        values, pooled = out.last_hidden_state, out.get("pooler_output")
        if values.ndim == 4:
            grid = (values.shape[2], values.shape[3])
            values = values.flatten(2).transpose(1, 2)
            pooled = values.mean(1) if pooled is None else pooled.flatten(1)
        else:
            grid, before = _grid(values.shape[1], pixels.shape[-2:], self.patch_px)
            if before and not self.trusts_pooler:
                pooled = values[:, 0]
            values = values[:, before:]
        if self.shared:
            # What CLIP does with its class token, applied to the patches, as in Zhou et al. 2022.
            inner = cast(Any, self.model)
            values, pooled = inner.visual_projection(inner.vision_model.post_layernorm(values)), out.image_embeds
        return Tokens(values, torch.ones(values.shape[:2], dtype=torch.bool, device=values.device), grid, pooled=pooled)


def _grid(count: int, sides: torch.Size, patch_px: int | None) -> tuple[tuple[int, int], int]:
    """Give the grid of a sequence, and the number of tokens before its patches."""
    if patch_px is not None:
        grid = (sides[0] // patch_px, sides[1] // patch_px)
        before = count - grid[0] * grid[1]
        if 0 <= before <= 16:
            return grid, before
    side = math.isqrt(count)  # hierarchical models merge patches
    if side * side == count:
        return (side, side), 0
    raise ShapeError(
        f"expected image tokens on a grid, got {count} for {tuple(sides)} pixels; use another image encoder"
    )


def read_image_spec(folder: Path, *, size_px: int, fit: str) -> ImageSpec:
    """Read how images are prepared from the model's own files.

    Files may resize to one size and crop a smaller one from it; here images are resized to the size that is cropped, so
    that less is lost.

    Arguments:
        size_px: 0 = as the file says
        fit:     "" = as the file says: "crop" where the aspect ratio is kept, else "squash"
    Raises:
        CheckpointError: there is no such file, or it lacks the size, mean or deviation.
    """
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        path = folder / "processor_config.json"
    if not path.is_file():
        raise CheckpointError(
            f"{folder}: expected preprocessor_config.json, which says how images are prepared, got none; download "
            "the model again or choose one that takes images"
        )
    data = read_json(path)
    data = data.get("image_processor", data)
    size = data.get("size")
    keeps_ratio = bool(data.get("do_center_crop")) or (isinstance(size, dict) and "shortest_edge" in size)
    side = size_px or _side(data.get("crop_size") if data.get("do_center_crop") else None) or _side(size)
    try:
        mean, std = ([float(v) for v in data[key]] for key in ("image_mean", "image_std"))
    except (KeyError, TypeError, ValueError):
        mean, std = [], []
    if not side or len(mean) != 3 or len(std) != 3:
        raise CheckpointError(
            f"{path}: expected a size and three numbers each for image_mean and image_std, got {data}"
        )
    chosen = fit or ("crop" if keeps_ratio else "squash")
    return ImageSpec(
        side,
        (mean[0], mean[1], mean[2]),
        (std[0], std[1], std[2]),
        "bilinear" if data.get("resample", BICUBIC) == BILINEAR else "bicubic",
        cast(Literal["squash", "crop", "pad"], chosen),
    )


def _side(size: Any) -> int:
    if isinstance(size, dict):
        size = size.get("shortest_edge") or size.get("height") or 0
    return int(size) if isinstance(size, int | float) else 0


def hub_image(
    *,
    name: str,
    size_px: int = 0,
    fit: Literal["", "squash", "crop", "pad"] = "",
    trainable: int = 0,
    space: Literal["own", "shared"] = "own",
) -> EncoderParts:
    """Build an image encoder from a model of the hub, its local cache or a folder.

    Arguments:
        name:      a model's name on the hub ("microsoft/resnet-50": 49 tokens, 2048 wide), or a folder
        size_px:   side of the square input; 0 = the model's own. Learned positions are resampled to another.
        fit:       see `ImageSpec`; "" = the model's own
        trainable: 0 = frozen, -1 = everything
        space:     "own" = the tower's last hidden states; "shared" = projected to the space that its texts share (CLIP)
    Raises:
        OfflineError: the model is not on this machine and the hub cannot be reached.
        MissingPackageError: transformers is missing or broken.
        CheckpointError: no safetensors, missing weights, or nothing on how images are prepared.
        ConfigError: the model is not an image encoder, cannot take the size, has no shared space, or `trainable` is
            another number.
    """
    if trainable not in (0, -1):
        raise ConfigError(
            f"image.trainable: expected 0 (frozen) or -1 (everything) for hub:{name}, since hub models are not cut "
            f"between their layers, got {trainable}"
        )
    folder = find_folder(name)
    spec = read_image_spec(folder, size_px=size_px, fit=fit)
    config = read_json(folder / "config.json")
    kind = config.get("model_type", "")
    vision = {**config, **(config.get("vision_config") or {})}
    towers = towers_of(space, kind, name, own=IMAGE_TOWERS, shared=SHARED_TOWERS)
    model = load_tower(folder, towers, needs_pooler=kind in IMAGE_TOWERS)
    takes_any = "interpolate_pos_encoding" in inspect.signature(model.forward).parameters
    patch = vision.get("patch_size")
    encoder = HubImage(
        model,
        patch_px=patch if isinstance(patch, int) else None,
        interpolate=takes_any and vision.get("image_size", spec.size_px) != spec.size_px,
        trusts_pooler=kind in IMAGE_TOWERS,
        shared=space == "shared",
    ).eval()
    try:
        with torch.inference_mode():
            tokens: Tokens = encoder(torch.zeros(1, 3, spec.size_px, spec.size_px))
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise ConfigError(
            f"hub:{name}: expected an image encoder that takes {spec.size_px} px, got: {error}; "
            "choose another image.size_px or model"
        ) from error
    encoder.requires_grad_(trainable != 0)
    return EncoderParts(
        frozen=encoder if trainable == 0 else None,
        trained=None if trainable == 0 else encoder,
        width=tokens.values.shape[-1],
        pooled_width=None if tokens.pooled is None else tokens.pooled.shape[-1],
        input=spec,
        identity=f"hub image {kind} all {spec}{' space=shared' * (space == 'shared')} {folder_identity(folder)}",
    )
