"""Parts small enough to train in a second: hashed words, averaged pixels, coloured squares."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np
import torch
from torch import Tensor, nn

from plait.core.types import EncoderParts, ImageSpec, Tokens
from plait.data.collection import Caption, Collection, Photo
from plait.encoders.adapters import Adapter
from plait.model import Side

__all__ = ["COLOURS", "WIDTH", "Cells", "HashedWords", "Lift", "Words", "text_side", "toy_collection", "toy_sides"]

WIDTH = 16
WORDS = 64
COLOURS = {"red": (220, 30, 30), "green": (30, 180, 30), "blue": (30, 30, 220), "white": (240, 240, 240)}


class HashedWords:
    """A `TextInput`: each word's number is its hash."""

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        rows = [[1 + crc32(word.encode()) % (WORDS - 1) for word in text.split()] for text in texts]
        longest = max(map(len, rows))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        return ids, ids > 0

    def pieces(self, text: str) -> list[str]:
        return text.split()


class Words(nn.Module):
    """Ids to vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(WORDS, WIDTH)

    def forward(self, ids: Tensor, valid: Tensor) -> Tokens:
        return Tokens(self.table(ids), valid)


class Cells(nn.Module):
    """Pixels to a 2 x 2 grid of mean colours."""

    def forward(self, pixels: Tensor) -> Tokens:
        grid = nn.functional.adaptive_avg_pool2d(pixels, 2).flatten(2).transpose(1, 2)
        return Tokens(grid, torch.ones(grid.shape[:2], dtype=torch.bool, device=grid.device), grid=(2, 2))


class Lift(Adapter):
    """Tokens to the common width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.map = nn.Linear(width, WIDTH)
        self.drop = nn.Dropout(0.1)

    def project(self, tokens: Tokens) -> Tensor:
        lifted: Tensor = self.drop(self.map(tokens.values))
        return lifted


def text_side() -> Side:
    """Give a text side: words trained from scratch."""
    return Side(EncoderParts(None, Words(), WIDTH, None, HashedWords(), "toy words"), Lift(WIDTH))


def toy_sides() -> tuple[Side, Side]:
    """Give the text side and the image side, whose cells are frozen."""
    spec = ImageSpec(8, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    return text_side(), Side(EncoderParts(Cells(), None, 3, None, spec, "toy cells"), Lift(3))


def toy_collection(images: int = 48) -> Collection:
    """Give images of a left and a right colour, two captions each; a third of the images are held out."""
    random = np.random.default_rng(0)
    names = list(COLOURS)
    made, captions = [], []
    for number in range(images):
        left, right = random.choice(names, 2)
        pixels = np.zeros((8, 8, 3), np.uint8)
        pixels[:, :4], pixels[:, 4:] = COLOURS[left], COLOURS[right]
        pixels[0, 0] = number  # no two photos are equal
        made.append(Photo(f"p{number}", pixels))
        for wording in ("{} left of {}", "{} and then {}"):
            text = wording.format(left, right)
            captions.append(Caption(f"c{len(captions)}", text, number, f"{right} left of {left}"))
    third = images // 3
    splits = {"train": tuple(range(2 * third)), "val": tuple(range(2 * third, images))}
    return Collection("toys", "tests", tuple(made), tuple(captions), splits)
