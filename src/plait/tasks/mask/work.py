"""The part of the task that computes: `WORK`, which joins the files of this folder to what `plait.task.Work` names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from plait.core.config import Recipe
from plait.core.errors import ConfigError
from plait.core.evaluation import Evaluation
from plait.data.collection import Collection
from plait.model import Learner, Side
from plait.task import Progress, Use, Work
from plait.tasks.mask.assemble import assemble, use_of
from plait.tasks.mask.audit import audit_masks
from plait.tasks.mask.evaluate import evaluate_masks
from plait.tasks.mask.learner import MaskLearner, eval_mode
from plait.tasks.mask.metrics import CONSTANT, miou_key
from plait.tasks.mask.predict import MaskModel
from plait.tasks.mask.show.gallery import merge_masks, show_masks
from plait.tasks.mask.targets import MaskTargets, check_masks
from plait.trained import Run

if TYPE_CHECKING:
    from plait.audit.record import Audit
    from plait.train.feed import Feed

__all__ = ["WORK", "MaskWork"]


class MaskWork:
    """Masks: what `plait.task.Work` asks of a task."""

    def check_data(self, collection: Collection) -> None:
        """Refuse data without masks. Raises InputError naming the first caption that has none."""
        check_masks(collection)

    def fill_in(self, recipe: Recipe, collection: Collection) -> Recipe:
        """Give the recipe back: nothing of it depends on the data."""
        return recipe

    def use(self, recipe: Recipe) -> Use:
        """Say how the recipe's fusion is used; see `plait.tasks.mask.assemble.use_of`."""
        return use_of(recipe)

    def assemble(self, recipe: Recipe, text: Side, image: Side) -> MaskLearner:
        """Join the sides with fusion, head and objective."""
        return assemble(recipe, text, image)

    def first_stage(self, recipe: Recipe) -> Recipe | None:
        """Give None: a run begins from new weights."""
        return None

    def begin_from(self, learner: Learner, first: Learner) -> None:
        """Refuse: there is no first stage."""
        raise ConfigError("task 'mask' trains in one stage; no run begins from another")

    def targets(self, learner: Learner, feed: Feed) -> MaskTargets:
        """Give the captions' masks at the resolution of the learner's head, which is found by running it once.

        The objective says which share of texts is also paired with images that lack what they refer to.
        """
        masks = _mask_learner(learner)
        with torch.no_grad(), eval_mode(masks.model):
            logits, _ = masks.masks(feed.encode_texts([0]), feed.encode_images([int(feed.image_of[0])]))
        height, width = logits.values.shape[1:]
        spec = masks.model.image.image_spec
        absent = masks.objective.absent
        return MaskTargets(feed.collection, spec, cells=(height, width), views=feed.views, absent=absent)

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
        """Measure a split; see `plait.tasks.mask.evaluate.evaluate_masks`."""
        return evaluate_masks(
            _mask_learner(learner), feed, recipe, split=split, limit=limit, known=known, progress=progress
        )

    def learned(self, record: Mapping[str, Any]) -> bool:
        """Say whether a run's mIoU is above that of every mask that reads neither text nor image."""
        metrics = record["metrics"]
        return bool(metrics["miou"] > max(metrics[miou_key(kind)] for kind in CONSTANT))

    def gallery(self, learner: Learner, feed: Feed, evaluation: Evaluation, *, fusion: str) -> dict[str, Any]:
        """Collect a run's gallery; see `plait.tasks.mask.show.gallery.show_masks`."""
        return show_masks(_mask_learner(learner), feed, evaluation, fusion=fusion)

    def merge_galleries(self, shown: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        """Join the galleries of a comparison; see `plait.tasks.mask.show.gallery.merge_masks`."""
        return merge_masks(shown)

    def audit_recipe(self, recipe: Recipe, *, seeds: int) -> Audit | None:
        """Give None: with random weights there is no pair to find in noise, so masks have no such test."""
        return None

    def audit_split(
        self, before: Audit | None, learner: Learner, feed: Feed, recipe: Recipe, *, split: str, thorough: bool
    ) -> Audit | None:
        """Audit the trained model on the split, if thorough; after a fit, give what there was before: none.

        The evaluation of every fit already removes and exchanges text and image; see `plait.tasks.mask.audit`.
        """
        return audit_masks(_mask_learner(learner), feed, recipe, split=split) if thorough else before

    def predictor(self, run: Run) -> MaskModel:
        """Give a finished run ready for use: `MaskModel.mask`."""
        return MaskModel(run, _mask_learner(run.learner))


WORK: Work = MaskWork()


def _mask_learner(learner: Learner) -> MaskLearner:
    if not isinstance(learner, MaskLearner):
        raise TypeError(f"expected a MaskLearner, as MaskWork.assemble gives, got {type(learner).__name__}")
    return learner
