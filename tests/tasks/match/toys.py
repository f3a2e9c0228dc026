"""A collection, learners and a feed small enough to train in a second: coloured squares, hashed words, mean pixels."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np
import torch
from torch import Tensor, nn

from plait.core.config import recipe_from_dict
from plait.core.types import Batch, EncoderParts, ImageSpec, Tokens
from plait.data.batch import PixelSource, load_pixels
from plait.data.collection import Caption, Collection, Photo
from plait.encoders.adapters import Adapter
from plait.fusion.base.fusion import SimilarityFusion
from plait.fusion.cross.cross import CrossFusion
from plait.fusion.stacked.scan import ScanTextToImage
from plait.fusion.two_tower.late import LateFusion
from plait.heads.match import LogitHead, SimilarityHead
from plait.heads.pair import PairCosineHead
from plait.model import FusionModel, Learner, Side
from plait.objectives.contrastive import InfoNCE
from plait.objectives.match import Matching
from plait.tasks.match.learner import MatchLearner
from plait.tasks.match.pairings.all_pairs import AllPairs
from plait.tasks.match.pairings.matched import Matched
from plait.tasks.match.pairings.reranked import Reranked
from plait.tasks.match.towers import Towers

__all__ = ["WIDTH", "ToyFeed", "noise", "recipe", "toy_collection", "toy_learner"]

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


def toy_learner(fusion: str = "late", seed: int = 0, *, pairing: str = "", rerank_k: int = 4) -> MatchLearner:
    """Give a learner: words trained from scratch, image cells frozen. "cross" is paired "itm" unless `pairing` is."""
    torch.manual_seed(seed)
    spec = ImageSpec(8, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    text = Side(EncoderParts(None, Words(), WIDTH, None, HashedWords(), "toy words"), Lift(WIDTH))
    image = Side(EncoderParts(Cells(), None, 3, None, spec, "toy cells"), Lift(3))
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
