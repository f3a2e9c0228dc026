"""A mask collection and a learner small enough to train in a second: name a colour, mark its half of the image."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from plait.core.config import Recipe, TrainSettings
from plait.core.types import Batch, EncoderParts, ImageSpec, Level, Tokens
from plait.data.collection import Caption, Collection, Photo
from plait.data.images import read_pixels
from plait.data.masks.source import MaskSource
from plait.fusion.cross.pixel_word import PixelWordFusion
from plait.heads.mask import SpatialDecoder
from plait.heads.presence import PresenceHead
from plait.model import FusionModel, Side
from plait.nn.precision import Precision, autocast_context
from plait.objectives.mask import MaskLoss
from plait.tasks.mask.learner import MaskLearner
from plait.tasks.mask.targets import MaskTargets
from plait.tasks.mask.work import WORK
from tests.toys import COLOURS, WIDTH, Lift, text_side

__all__ = ["SIDE", "MaskFeed", "mask_collection", "mask_learner", "mask_recipe", "train_masks"]

SIDE = 16
# "red" and "blue" have one hash among the toys' words, and "green" that of "the".
NAMES = {"blue": "navy", "green": "lime"}


class LeveledLift(Lift):
    """Tokens to the common width, finer levels as they are."""

    def forward(self, tokens: Tokens) -> Tokens:
        return Tokens(self.project(tokens), tokens.valid, grid=tokens.grid, levels=tokens.levels)


class Cells(nn.Module):
    """Pixels to a 4 x 4 grid of mean colours, with an 8 x 8 one as its finer level."""

    def forward(self, pixels: Tensor) -> Tokens:
        def grid(cells: int) -> Tensor:
            return nn.functional.adaptive_avg_pool2d(pixels, cells).flatten(2).transpose(1, 2)

        coarse = grid(4)
        valid = torch.ones(coarse.shape[:2], dtype=torch.bool, device=pixels.device)
        return Tokens(coarse, valid, grid=(4, 4), levels=(Level(grid(8), (8, 8)),))


def toy_sides() -> tuple[Side, Side]:
    """Give the two sides: words trained from scratch, image cells frozen."""
    spec = ImageSpec(SIDE, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    return text_side(), Side(EncoderParts(Cells(), None, 3, None, spec, "toy grid", (3,)), LeveledLift(3))


def mask_learner(seed: int = 0, *, absent: float = 0.5) -> MaskLearner:
    """Give a learner with weights drawn from the seed, with a presence head where absent phrases are trained on."""
    torch.manual_seed(seed)
    text, image = toy_sides()
    head = SpatialDecoder(WIDTH, skips=(3,), channels=16, doublings=0)
    model = FusionModel(text, image, fusion=PixelWordFusion(WIDTH, heads=2), head=head)
    presence = PresenceHead(WIDTH, hidden=16) if absent else None
    return MaskLearner(model, MaskLoss(overlap="dice", absent=absent), presence=presence)


def mask_recipe(precision: Precision = "fp32") -> Recipe:
    """Give a recipe of masks that says how to compute; the toys' parts are not made from it."""
    return Recipe(task="mask", train=TrainSettings(precision=precision))


def mask_collection(images: int = 48) -> Collection:
    """Give images of a left and a right colour, and for each colour its name and its half; a third is held out."""
    random = np.random.default_rng(0)
    made, captions = [], []
    for number in range(images):
        left, right = random.choice(list(COLOURS), 2, replace=False)
        pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
        pixels[:, : SIDE // 2], pixels[:, SIDE // 2 :] = COLOURS[left], COLOURS[right]
        pixels[0, 0] = number  # no two images are equal
        made.append(Photo(f"p{number}", pixels))
        for half, colour in enumerate((left, right)):
            mask = np.zeros((SIDE, SIDE), dtype=bool)
            mask[:, half * SIDE // 2 : (half + 1) * SIDE // 2] = True
            captions.append(
                Caption(f"c{len(captions)}", f"the {NAMES.get(colour, colour)}", number, mask=MaskSource(mask))
            )
    third = images // 3
    splits = {"train": tuple(range(2 * third)), "val": tuple(range(2 * third, images))}
    return Collection("mask toys", "tests", tuple(made), tuple(captions), splits)


class MaskFeed:
    """The parts of `plait.train.feed.Feed` that a task reads, from raw texts and pixels, with nothing cached."""

    def __init__(self, learner: MaskLearner, collection: Collection | None = None, *, flip: bool = True) -> None:
        self.collection = collection or mask_collection()
        self.learner = learner
        self.model = learner.model
        self.views = ("full", "flip") if flip else ("full",)
        self.texts = [caption.text for caption in self.collection.captions]
        self.image_of = np.array([caption.image for caption in self.collection.captions], dtype=np.int64)

    @property
    def device(self) -> torch.device:
        return next(self.learner.parameters()).device

    @cached_property
    def targets(self) -> MaskTargets:
        return WORK.targets(self.learner, self)  # type: ignore[arg-type]

    @torch.no_grad()
    def encode_texts(self, rows: Sequence[int] | np.ndarray) -> Tokens:
        return self.model.encode_text(*self.model.text.text_input([self.texts[int(row)] for row in rows]))

    @torch.no_grad()
    def encode_images(self, images: Sequence[int] | np.ndarray) -> Tokens:
        return self.model.encode_image(self._pixels(np.asarray(images), ("full",)))

    def batch(self, rows: np.ndarray, *, seed: int, epoch: int) -> Batch:
        images, image_row = np.unique(self.image_of[rows], return_inverse=True)
        drawn = np.random.default_rng((seed, epoch, int(rows[0]))).integers(len(self.views), size=len(images))
        ids, valid = self.model.text.text_input([self.texts[int(row)] for row in rows])
        return Batch(
            ids,
            valid,
            self._pixels(images, self.views, drawn),
            target=self.targets.take(rows, drawn[image_row]),
            image_row=torch.from_numpy(image_row),
        )

    def _pixels(self, images: np.ndarray, views: tuple[str, ...], drawn: np.ndarray | None = None) -> Tensor:
        spec, shown = self.model.image.image_spec, np.zeros(len(images), dtype=np.int64) if drawn is None else drawn
        sources = [self.collection.photos[int(image)].source for image in images]
        return torch.stack(
            [read_pixels(source, spec, view=views[view]) for source, view in zip(sources, shown, strict=True)]
        )


def train_masks(learner: MaskLearner, feed: MaskFeed, *, precision: Precision, epochs: int = 14) -> list[float]:
    """Train on the feed's train split and give the mean loss of each epoch."""
    optimiser = torch.optim.AdamW(learner.trained_parameters(), lr=1e-2)
    rows = np.array(feed.collection.captions_of("train"), dtype=np.int64)
    learner.train()
    curve = []
    for epoch in range(epochs):
        # The rate falls to zero, so that the last steps do not undo what was learned.
        optimiser.param_groups[0]["lr"] = 1e-2 * (1 - epoch / epochs)
        losses = []
        for chunk in np.array_split(np.random.default_rng(epoch).permutation(rows), max(1, len(rows) // 16)):
            with autocast_context(precision):
                loss = learner.loss(feed.batch(chunk, seed=0, epoch=epoch))
            optimiser.zero_grad()
            loss.total.backward()
            optimiser.step()
            losses.append(float(loss.total.detach()))
        curve.append(float(np.mean(losses)))
    return curve
