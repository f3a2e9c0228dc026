"""Coloured squares with a class, and a learner that learns them in a second."""

from __future__ import annotations

import numpy as np
import torch

from plait.core.config import Recipe, TrainSettings, recipe_from_dict
from plait.data.collection import Caption, Collection, Photo
from plait.fusion.control.image_as_is import ImageAsIsFusion
from plait.heads.classes import ClassHead
from plait.model import FusionModel
from plait.nn.precision import Precision, autocast_context
from plait.objectives.classes import ClassCrossEntropy
from plait.tasks.classify.learner import ClassLearner
from plait.tasks.classify.work import WORK
from tests.class_sets import CLASSES, squares
from tests.tasks.match.toys import ToyFeed
from tests.toys import WIDTH, toy_sides

__all__ = ["ORDER", "class_collection", "class_feed", "class_learner", "class_recipe", "train_classes"]

ORDER = tuple(sorted(CLASSES))


def class_collection(per_class: int = 24, *, extra: str = "") -> Collection:
    """Give images of one class each, a third held out; `extra` is a class of two held-out images alone."""
    made, captions, train, val = [], [], [], []
    for name in (*CLASSES, *([extra] if extra else [])):
        count = 2 if name == extra else per_class
        for i, pixels in enumerate(squares(name, count)):
            (val if name == extra or i % 3 == 2 else train).append(len(made))
            captions.append(Caption(f"{name}{i}#0", name, len(made), answers=(name,)))
            made.append(Photo(f"{name}{i}", pixels))
    splits = {"train": tuple(train), "val": tuple(val)}
    return Collection("classes", "tests", tuple(made), tuple(captions), splits)


def class_learner(seed: int = 0) -> ClassLearner:
    """Give a learner with weights drawn from the seed."""
    torch.manual_seed(seed)
    text, image = toy_sides()
    fusion = ImageAsIsFusion(WIDTH)
    model = FusionModel(text, image, fusion=fusion, head=ClassHead(WIDTH, classes=ORDER, pool="max"))
    return ClassLearner(model, ClassCrossEntropy(), classes=ORDER)


def class_recipe(precision: Precision = "fp32", **fusion: object) -> Recipe:
    """Give a recipe of classes that says how to compute; the toys' parts are not made from it."""
    recipe = recipe_from_dict({"task": "classify", "fusion": {"name": "image_as_is", **fusion}})
    return Recipe(task="classify", fusion=recipe.fusion, train=TrainSettings(precision=precision))


def class_feed(learner: ClassLearner, collection: Collection | None = None) -> ToyFeed:
    """Give a feed of the collection, on the CPU."""
    feed = ToyFeed(collection or class_collection(), learner)
    feed.device = torch.device("cpu")  # type: ignore[attr-defined]
    return feed


def train_classes(learner: ClassLearner, feed: ToyFeed, *, precision: Precision, epochs: int = 30) -> list[float]:
    """Train on the feed's train split and give the loss of each epoch."""
    optimiser = torch.optim.AdamW(learner.trained_parameters(), lr=2e-2)
    targets = WORK.targets(learner, feed)  # type: ignore[arg-type]
    rows = np.array(feed.collection.captions_of("train"), dtype=np.int64)
    learner.train()
    curve = []
    for _ in range(epochs):
        batch = feed.batch(rows)
        batch = type(batch)(**{**vars(batch), "target": targets.take(rows, np.zeros_like(rows))})
        with autocast_context(precision):
            loss = learner.loss(batch)
        optimiser.zero_grad()
        loss.total.backward()
        optimiser.step()
        curve.append(float(loss.total.detach()))
    return curve
