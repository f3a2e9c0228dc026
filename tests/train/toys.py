"""A collection and a learner small enough to train in a second: coloured squares, hashed words, averaged pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from torch import Tensor, nn

from plait.core.types import Batch, EncoderParts, ImageSpec, Loss, Tokens
from plait.data.collection import Caption, Collection, Photo
from plait.encoders.adapters import Adapter
from plait.fusion.base.pairs import fuse_in_chunks
from plait.fusion.cross.cross import CrossFusion
from plait.fusion.stacked.scan import ScanTextToImage
from plait.fusion.two_tower.late import LateFusion
from plait.heads.match import LogitHead, SimilarityHead
from plait.model import FusionModel, Learner, Side
from plait.nn.precision import Precision
from plait.objectives.contrastive import InfoNCE
from plait.objectives.match import Matching
from plait.train.features import prepare
from plait.train.feed import Feed

VIEWS = ("full", "flip")
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


class Towers(nn.Module):
    """Scores of all pairs from one side at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.fusion = LateFusion(WIDTH)
        self.head = SimilarityHead()

    def forward(self, text: Tokens, image: Tokens) -> Tensor:
        scores: Tensor = self.head.pool(self.fusion.similarities(text, image)).values
        return scores


class AllPairs(Learner):
    """Compares every image with every caption."""

    def loss(self, batch: Batch) -> Loss:
        text, image = self.model.encode(batch)
        scores = self.model.head.pool(self.model.fusion.similarities(text, image)).values
        loss: Loss = self.objective(scores[batch.image_row], batch.target)
        return loss


class HardPairs(Learner):
    """Mines hard pairs with towers of its own, and fuses those."""

    def __init__(self, model: FusionModel, objective: nn.Module) -> None:
        super().__init__(model, objective)
        self.towers = Towers()

    def loss(self, batch: Batch) -> Loss:
        text, image = self.model.encode(batch)

        def score_pairs(text_index: Tensor, image_index: Tensor) -> Tensor:
            row = batch.image_row[image_index]
            parts = list(fuse_in_chunks(self.model.fusion, text, image, text_row=text_index, image_row=row))
            scores = torch.cat([self.model.read(fused).values for _, fused in parts])
            return torch.zeros_like(scores).index_put((torch.cat([places for places, _ in parts]),), scores)

        loss: Loss = self.objective(self.towers(text, image)[batch.image_row], batch.target, score_pairs)
        return loss


class Groups:
    """Targets: the number of each caption's image."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed

    def take(self, rows: np.ndarray, view: np.ndarray) -> Tensor:
        assert rows.shape == view.shape
        return torch.from_numpy(self.feed.image_of[rows])


def toy_learner(fusion: str = "late", seed: int = 0) -> Learner:
    """Give a learner: words trained from scratch, image cells frozen."""
    torch.manual_seed(seed)
    spec = ImageSpec(8, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    text = Side(EncoderParts(None, Words(), WIDTH, None, HashedWords(), "toy words"), Lift(WIDTH))
    image = Side(EncoderParts(Cells(), None, 3, None, spec, "toy cells"), Lift(3))
    if fusion == "cross":
        fused = FusionModel(text, image, fusion=CrossFusion(WIDTH, heads=2, layers=1), head=LogitHead(WIDTH))
        return HardPairs(fused, Matching(InfoNCE()))
    parts = {"late": LateFusion, "scan_t2i": ScanTextToImage}
    return AllPairs(FusionModel(text, image, fusion=parts[fusion](WIDTH), head=SimilarityHead()), InfoNCE())


def toy_feed(
    learner: Learner, cache: Path, *, collection: Collection | None = None, precision: Precision = "fp32"
) -> Feed:
    """Give a feed of a collection, the toys unless another is given, with its tokens cached in a folder."""
    collection = collection or toy_collection()
    features = prepare(learner.model, collection, views=VIEWS, precision=precision, root=cache)
    return Feed(collection, learner, features, views=VIEWS, make_targets=Groups)


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
