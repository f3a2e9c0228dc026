"""A collection and a model small enough to train in a second: coloured squares, hashed words, averaged pixels."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np
import torch
from torch import Tensor, nn

from plait.core.types import EncoderParts, ImageSpec, Tokens
from plait.data.collection import Caption, Collection, Photo
from plait.encoders.adapters import Adapter
from plait.fusion.cross.cross import CrossFusion
from plait.fusion.two_tower.late import LateFusion
from plait.fusion.stacked.scan import ScanTextToImage
from plait.heads.match import LogitHead, SimilarityHead
from plait.model import FusionModel, Side, Towers
from plait.objectives.contrastive import InfoNCE
from plait.objectives.match import Matching

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
        return Tokens(grid, torch.ones(grid.shape[:2], dtype=torch.bool), grid=(2, 2))


class Lift(Adapter):
    """Tokens to the common width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.map = nn.Linear(width, WIDTH)
        self.drop = nn.Dropout(0.1)

    def project(self, tokens: Tokens) -> Tensor:
        lifted: Tensor = self.drop(self.map(tokens.values))
        return lifted


def toy_model(fusion: str = "late", seed: int = 0) -> tuple[FusionModel, nn.Module]:
    """Give a model and its objective: words trained from scratch, image cells frozen."""
    torch.manual_seed(seed)
    spec = ImageSpec(8, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    text = Side(EncoderParts(None, Words(), WIDTH, None, HashedWords(), "toy words"), Lift(WIDTH))
    image = Side(EncoderParts(Cells(), None, 3, None, spec, "toy cells"), Lift(3))
    if fusion == "cross":
        towers = Towers(LateFusion(WIDTH), SimilarityHead())
        model = FusionModel(
            text, image, fusion=CrossFusion(WIDTH, heads=2, layers=1), head=LogitHead(WIDTH), towers=towers
        )
        return model, Matching(InfoNCE())
    parts = {"late": LateFusion, "scan_t2i": ScanTextToImage}
    return FusionModel(text, image, fusion=parts[fusion](WIDTH), head=SimilarityHead()), InfoNCE()


def toy_collection(photos: int = 48) -> Collection:
    """Give photos of a left and a right colour, two captions each; a third of the photos are held out."""
    random = np.random.default_rng(0)
    names = list(COLOURS)
    made, captions = [], []
    for number in range(photos):
        left, right = random.choice(names, 2)
        pixels = np.zeros((8, 8, 3), np.uint8)
        pixels[:, :4], pixels[:, 4:] = COLOURS[left], COLOURS[right]
        pixels[0, 0] = number  # no two photos are equal
        made.append(Photo(f"p{number}", pixels))
        for wording in ("{} left of {}", "{} and then {}"):
            text = wording.format(left, right)
            captions.append(Caption(f"c{len(captions)}", text, number, f"{right} left of {left}"))
    third = photos // 3
    splits = {"train": tuple(range(2 * third)), "val": tuple(range(2 * third, photos))}
    return Collection("toys", "tests", tuple(made), tuple(captions), splits)
