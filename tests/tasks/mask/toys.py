"""A mask collection and a model small enough to learn in a second: name a colour, mark its half of the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from plait.core.types import EncoderParts, ImageSpec, Level, Tokens
from plait.data.collection import Caption, Collection, Photo
from plait.data.masks.source import MaskSource
from plait.fusion.cross.pixel_word import PixelWordFusion
from plait.heads.mask import SpatialDecoder
from plait.model import FusionModel, Side
from plait.objectives.mask import MaskLoss
from plait.train.features import prepare
from plait.train.feed import Feed
from tests.train.toys import COLOURS, WIDTH, HashedWords, Lift, Words

__all__ = ["mask_collection", "mask_feed", "mask_model"]

SIDE = 16
# "red" and "blue" have one hash among the toys' words, and "green" that of "the".
NAMES = {"blue": "navy", "green": "lime"}


class Cells(nn.Module):
    """Pixels to a 4 x 4 grid of mean colours, with an 8 x 8 one as its finer level."""

    def forward(self, pixels: Tensor) -> Tokens:
        def grid(cells: int) -> Tensor:
            return nn.functional.adaptive_avg_pool2d(pixels, cells).flatten(2).transpose(1, 2)

        coarse = grid(4)
        valid = torch.ones(coarse.shape[:2], dtype=torch.bool)
        return Tokens(coarse, valid, grid=(4, 4), levels=(Level(grid(8), (8, 8)),))


class LiftWithLevels(Lift):
    """Tokens to the common width, finer levels as they are."""

    def forward(self, tokens: Tokens) -> Tokens:
        lifted = super().forward(tokens)
        return Tokens(lifted.values, lifted.valid, grid=tokens.grid, levels=tokens.levels)


def mask_model(seed: int = 0) -> tuple[FusionModel, nn.Module]:
    """Give a model and its objective: words trained from scratch, image cells frozen."""
    torch.manual_seed(seed)
    spec = ImageSpec(SIDE, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    text = Side(EncoderParts(None, Words(), WIDTH, None, HashedWords(), "toy words"), LiftWithLevels(WIDTH))
    image = Side(EncoderParts(Cells(), None, 3, None, spec, "toy grid", (3,)), LiftWithLevels(3))
    head = SpatialDecoder(WIDTH, skips=(3,), channels=16, doublings=0)
    fusion = PixelWordFusion(WIDTH, heads=2)
    return FusionModel(text, image, fusion=fusion, head=head, pairing="own"), MaskLoss(overlap="dice")


def mask_collection(photos: int = 48) -> Collection:
    """Give photos of a left and a right colour, and for each colour its name and its half; a third is held out."""
    random = np.random.default_rng(0)
    made, captions = [], []
    for number in range(photos):
        left, right = random.choice(list(COLOURS), 2, replace=False)
        pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
        pixels[:, : SIDE // 2], pixels[:, SIDE // 2 :] = COLOURS[left], COLOURS[right]
        pixels[0, 0] = number  # no two photos are equal
        made.append(Photo(f"p{number}", pixels))
        for half, colour in enumerate((left, right)):
            mask = np.zeros((SIDE, SIDE), dtype=bool)
            mask[:, half * SIDE // 2 : (half + 1) * SIDE // 2] = True
            captions.append(
                Caption(f"c{len(captions)}", f"the {NAMES.get(colour, colour)}", number, mask=MaskSource(mask))
            )
    third = photos // 3
    splits = {"train": tuple(range(2 * third)), "val": tuple(range(2 * third, photos))}
    return Collection("mask toys", "tests", tuple(made), tuple(captions), splits)


def mask_feed(model: FusionModel, cache: Path, collection: Collection | None = None, *, flip: bool = True) -> Feed:
    """Give the toys' feed."""
    collection = collection or mask_collection()
    views = ("full", "flip") if flip else ("full",)
    features = prepare(model, collection, views=views, precision="fp32", root=cache)
    return Feed(collection, model, features, views=views)
