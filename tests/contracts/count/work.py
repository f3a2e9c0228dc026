"""What computes: targets, model, loss, evaluation, gallery, prediction."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from plait.audit.record import Audit
from plait.build import make_fusion
from plait.core.config import Recipe
from plait.core.errors import ConfigError, InputError
from plait.core.evaluation import Evaluation, Measured
from plait.core.tables import look_up
from plait.core.types import Batch, Fused, Loss, Tokens
from plait.data.collection import Collection
from plait.fusion import FUSIONS
from plait.model import FusionModel, Learner, Side
from plait.nn.pooling import masked_mean
from plait.nn.precision import autocast_context, resolve_precision
from plait.task import Progress, Use
from plait.train.feed import Feed
from plait.trained import ImageInput, Model, Run
from tests.contracts.count.data import MOST, QUESTION, number_in
from tests.contracts.count.metrics import METRIC_OF


@dataclass(frozen=True)
class Counts:
    """Logits of the numbers 1 to MOST, (B, MOST)."""

    values: Tensor


class CountHead(nn.Module):
    """Read the number of things from the mean cell."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.read = nn.Linear(width, MOST)

    def forward(self, fused: Fused) -> Counts:
        return Counts(self.read(masked_mean(fused.image.values, fused.image.valid)))


class CountLearner(Learner):
    """Cross-entropy of the number."""

    def counts(self, text: Tokens, image: Tokens) -> Tensor:
        found: Counts = self.model.read(self.model.fuse(text, image))
        return found.values

    def loss(self, batch: Batch) -> Loss:
        text, image = self.model.encode(batch)
        image = image if batch.image_row is None else image.take(batch.image_row)
        total = self.objective(self.counts(text, image), batch.target)
        return Loss(total, {"cross_entropy": total.detach()})


@dataclass(frozen=True)
class CountTargets:
    """The numbers that the images' names tell."""

    numbers: np.ndarray

    def take(self, rows: np.ndarray, view: np.ndarray) -> Tensor:
        return torch.from_numpy(self.numbers[rows])


class CountModel(Model):
    """A trained counter."""

    @torch.no_grad()
    def count(self, image: ImageInput) -> int:
        """Say how many things are in an image."""
        learner = self.run.learner
        assert isinstance(learner, CountLearner)
        with self._precision():
            return 1 + int(learner.counts(self.text_tokens([QUESTION]), self.image_tokens([image])).argmax())


class CountWork:
    """See `plait.task.Work`."""

    def check_data(self, collection: Collection) -> None:
        for photo in collection.photos:
            if not photo.id.rpartition("-")[2][:1].isdigit():
                raise InputError(f"data {collection.name!r}: {photo.id!r} does not end with a number of things")

    def fill_in(self, recipe: Recipe, collection: Collection) -> Recipe:
        """Give the recipe back: nothing of it depends on the data."""
        return recipe

    def use(self, recipe: Recipe) -> Use:
        if look_up("fusion", FUSIONS, recipe.fusion.name).gives != "grid":
            raise ConfigError(f"fusion {recipe.fusion.name!r} does not serve task 'count': it keeps no grid")
        return Use({"tokens": recipe.fusion.tokens})

    def assemble(self, recipe: Recipe, text: Side, image: Side) -> CountLearner:
        width = recipe.fusion.width
        fusion = make_fusion(recipe.fusion.name, recipe.fusion.options, width=width)
        return CountLearner(FusionModel(text, image, fusion=fusion, head=CountHead(width)), nn.CrossEntropyLoss())

    def first_stage(self, recipe: Recipe) -> Recipe | None:
        """Give None: a run begins from new weights."""
        return None

    def begin_from(self, learner: Learner, first: Learner) -> None:
        """Refuse: there is no first stage."""
        raise TypeError("task 'count' trains in one stage")

    def targets(self, learner: Learner, feed: Feed) -> CountTargets:
        photos = feed.collection.photos
        return CountTargets(np.array([number_in(photos[c.image].id) - 1 for c in feed.collection.captions]))

    @torch.no_grad()
    def evaluate(
        self,
        learner: Learner,
        feed: Feed,
        recipe: Recipe,
        *,
        split: str,
        limit: int | None = None,
        known: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
    ) -> Evaluation:
        began = time.perf_counter()
        assert isinstance(learner, CountLearner)
        images = np.array(feed.collection.splits[split][:limit])
        rows = np.array([int(np.flatnonzero(feed.image_of == image)[0]) for image in images])
        truth = np.array([number_in(feed.collection.photos[image].id) for image in images])
        learner.eval()
        with autocast_context(resolve_precision(recipe.train.precision)):
            text, tokens = feed.encode_texts(rows), feed.encode_images(images)
            said = 1 + learner.counts(text, tokens).float().argmax(1).cpu().numpy()
            blank = replace(tokens, values=torch.zeros_like(tokens.values))
            blind = 1 + learner.counts(text, blank).float().argmax(1).cpu().numpy()
        common = np.bincount(truth).argmax()
        answers = {"accuracy": said, "accuracy_most_common": np.full(len(truth), common)}
        answers |= {} if limit else {"accuracy_image_removed": blind}
        measured = []
        for key, numbers in answers.items():
            right = 100.0 * (numbers == truth)
            measured.append(Measured(METRIC_OF[key], float(right.mean()), right, weights=np.ones(len(truth))))
        return Evaluation(
            split=split,
            images=tuple(int(i) for i in images),
            captions=tuple(int(i) for i in rows),
            measured=tuple(measured),
            score_kind="probability",
            flags=(),
            details={"numbers": np.bincount(truth).tolist()},
            eval_s=time.perf_counter() - began,
            answers=(said, truth),
        )

    def learned(self, record: Mapping[str, Any]) -> bool:
        metrics = record["metrics"]
        return bool(metrics["accuracy"] > metrics["accuracy_most_common"])

    def gallery(self, learner: Learner, feed: Feed, evaluation: Evaluation, *, fusion: str) -> dict[str, Any]:
        said, truth = evaluation.answers
        names = [feed.collection.photos[i].id for i in evaluation.images]
        return {
            "counted": [
                {"photo": n, "said": int(s), "true": int(t)} for n, s, t in zip(names, said, truth, strict=True)
            ]
        }

    def merge_galleries(self, shown: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        counted = [{**item, "fusion": label} for label, gallery in shown.items() for item in gallery["counted"][:3]]
        return {"counted": counted, "photos": sorted({item["photo"] for item in counted})}

    def audit_recipe(self, recipe: Recipe, *, seeds: int) -> Audit | None:
        return None

    def audit_split(
        self, before: Audit | None, learner: Learner, feed: Feed, recipe: Recipe, *, split: str, thorough: bool
    ) -> Audit | None:
        return None

    def predictor(self, run: Run) -> CountModel:
        return CountModel(run)


WORK = CountWork()
