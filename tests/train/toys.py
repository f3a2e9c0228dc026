"""A collection and a learner small enough to train in a second: coloured squares, hashed words, averaged pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from plait.core.types import Batch, Loss, Tokens
from plait.data.collection import Collection
from plait.fusion.base.pairs import fuse_in_chunks
from plait.fusion.cross.cross import CrossFusion
from plait.fusion.stacked.scan import ScanTextToImage
from plait.fusion.two_tower.late import LateFusion
from plait.heads.match import LogitHead, SimilarityHead
from plait.model import FusionModel, Learner
from plait.nn.precision import Precision
from plait.objectives.contrastive import InfoNCE
from plait.objectives.match import Matching
from plait.train.features import prepare
from plait.train.feed import Feed
from tests.toys import WIDTH, toy_collection, toy_sides

VIEWS = ("full", "flip")


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
    text, image = toy_sides()
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
