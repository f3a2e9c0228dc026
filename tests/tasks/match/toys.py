"""A collection, learners and a feed small enough to train in a second: coloured squares, hashed words, mean pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from plait.core.config import recipe_from_dict
from plait.core.types import Batch, Tokens
from plait.data.batch import PixelSource, load_pixels
from plait.data.collection import Collection
from plait.fusion.base.fusion import SimilarityFusion
from plait.fusion.cross.cross import CrossFusion
from plait.fusion.stacked.scan import ScanTextToImage
from plait.fusion.two_tower.late import LateFusion
from plait.heads.match import LogitHead, SimilarityHead
from plait.heads.pair import PairCosineHead
from plait.model import FusionModel, Learner
from plait.objectives.contrastive import InfoNCE
from plait.objectives.match import Matching
from plait.tasks.match.learner import MatchLearner
from plait.tasks.match.pairings.all_pairs import AllPairs
from plait.tasks.match.pairings.matched import Matched
from plait.tasks.match.pairings.reranked import Reranked
from plait.tasks.match.pairings.towers import Towers
from tests.toys import WIDTH, toy_sides

__all__ = ["ToyFeed", "noise", "recipe", "toy_learner"]


def toy_learner(fusion: str = "late", seed: int = 0, *, pairing: str = "", rerank_k: int = 4) -> MatchLearner:
    """Give a learner: words trained from scratch, image cells frozen. "cross" is paired "itm" unless `pairing` is."""
    torch.manual_seed(seed)
    text, image = toy_sides()
    if fusion != "cross":
        parts: dict[str, type[SimilarityFusion]] = {"late": LateFusion, "scan_t2i": ScanTextToImage}
        model = FusionModel(text, image, fusion=parts[fusion](WIDTH), head=SimilarityHead())
        return MatchLearner(AllPairs(model, InfoNCE()))
    towers = Towers(LateFusion(WIDTH), SimilarityHead())
    cross = CrossFusion(WIDTH, heads=2, layers=1)
    if pairing == "matched":
        return MatchLearner(Matched(FusionModel(text, image, fusion=cross, head=PairCosineHead()), InfoNCE()))
    model = FusionModel(text, image, fusion=cross, head=LogitHead(WIDTH))
    if pairing == "all":
        return MatchLearner(AllPairs(model, InfoNCE(scale=1.0)))
    return MatchLearner(Reranked(model, Matching(InfoNCE()), towers, rerank_k=rerank_k))


class ToyFeed:
    """What `plait.train.feed.Feed` gives evaluations, without a cache: everything is encoded when it is requested."""

    def __init__(self, collection: Collection, learner: Learner) -> None:
        self.collection = collection
        self.model = learner.model
        self.image_of = np.array([caption.image for caption in collection.captions], dtype=np.int64)
        false = [i for i, caption in enumerate(collection.captions) if caption.counterfactual is not None]
        self.texts = [caption.text for caption in collection.captions]
        self.texts += [collection.captions[i].counterfactual or "" for i in false]
        self.counterfactual_row = {caption: len(collection.captions) + n for n, caption in enumerate(false)}

    @torch.no_grad()
    def encode_texts(self, rows: Sequence[int] | np.ndarray) -> Tokens:
        """Give common-width tokens of texts: (M, T, D)."""
        return self.model.encode_text(*self.model.text.text_input([self.texts[int(i)] for i in rows]))

    @torch.no_grad()
    def encode_images(self, images: Sequence[int] | np.ndarray) -> Tokens:
        """Give common-width tokens of images: (M, P, D)."""
        source = PixelSource(self.collection.photos, self.model.image.image_spec)
        return self.model.encode_image(load_pixels(source, torch.tensor([int(i) for i in images])))

    def batch(self, rows: np.ndarray) -> Batch:
        """Give a training batch of captions: (B,) int64."""
        images, image_row = np.unique(self.image_of[rows], return_inverse=True)
        ids, valid = self.model.text.text_input([self.texts[int(i)] for i in rows])
        pixels = load_pixels(PixelSource(self.collection.photos, self.model.image.image_spec), torch.from_numpy(images))
        target = torch.from_numpy(self.image_of[rows])
        return Batch(ids, valid, pixels, target, image_row=torch.from_numpy(image_row))


def noise(rows: int, length: int, seed: int, *, grid: tuple[int, int] | None = None, width: int = WIDTH) -> Tokens:
    """Give random tokens (rows, length, width): of unequal lengths, or on a grid."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(rows, length, width, generator=generator)
    lengths = torch.randint(1, length + 1, (rows, 1), generator=generator)
    valid = torch.ones(rows, length, dtype=torch.bool) if grid else torch.arange(length) < lengths
    return Tokens(values, valid, grid=grid)


def recipe(**fusion):  # type: ignore[no-untyped-def]
    """Give a recipe with these settings of its fusion."""
    return recipe_from_dict({"fusion": fusion})
