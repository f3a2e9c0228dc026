"""The part of the task that computes: `WORK`, which joins the files of this folder to what `plait.task.Work` names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from plait.core.config import Recipe
from plait.core.errors import ConfigError
from plait.core.evaluation import Evaluation
from plait.data.collection import Collection
from plait.model import Learner, Side
from plait.task import Progress, Use, Work
from plait.tasks.caption.assemble import assemble, use_of
from plait.tasks.caption.evaluate import evaluate_captions
from plait.tasks.caption.learner import CaptionLearner
from plait.tasks.caption.metrics import BASELINES, baseline_key
from plait.tasks.caption.predict import CaptionModel
from plait.tasks.caption.show.gallery import merge_captions, show_captions
from plait.tasks.caption.targets import CaptionRows, check_captions
from plait.trained import Run

if TYPE_CHECKING:
    from plait.audit.record import Audit
    from plait.train.feed import Feed

__all__ = ["WORK", "CaptionWork"]

# Captions that never looked at their image; the nearest training image's caption did, in its way.
_BLIND = tuple(kind for kind in BASELINES if kind != "nearest")


class CaptionWork:
    """Captions: what `plait.task.Work` asks of a task."""

    def check_data(self, collection: Collection) -> None:
        """Refuse data without captions; see `plait.tasks.caption.targets.check_captions`."""
        check_captions(collection)

    def fill_in(self, recipe: Recipe, collection: Collection) -> Recipe:
        """Give the recipe back: the vocabulary, which depends on the data, is kept beside it."""
        return recipe

    def use(self, recipe: Recipe) -> Use:
        """Say how the recipe is used; see `plait.tasks.caption.assemble.use_of`."""
        return use_of(recipe)

    def assemble(self, recipe: Recipe, text: Side, image: Side) -> CaptionLearner:
        """Join the sides with fusion, head and objective."""
        return assemble(recipe, text, image)

    def first_stage(self, recipe: Recipe) -> Recipe | None:
        """Give None: a run begins from new weights."""
        return None

    def begin_from(self, learner: Learner, first: Learner) -> None:
        """Refuse: there is no first stage."""
        raise ConfigError("task 'caption' trains in one stage; no run begins from another")

    def targets(self, learner: Learner, feed: Feed) -> CaptionRows:
        """Give the captions' numbers: their words come with the batch."""
        return CaptionRows()

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
        """Measure a split; see `plait.tasks.caption.evaluate.evaluate_captions`."""
        return evaluate_captions(
            _caption_learner(learner), feed, recipe, split=split, limit=limit, known=known, progress=progress
        )

    def learned(self, record: Mapping[str, Any]) -> bool:
        """Say whether a run's CIDEr-D is above that of every caption that was written without its image."""
        metrics = record["metrics"]
        blind = [metrics[key] for kind in _BLIND if (key := baseline_key("cider_d", kind)) in metrics]
        return bool(metrics["cider_d"] > max(blind))

    def gallery(self, learner: Learner, feed: Feed, evaluation: Evaluation, *, fusion: str) -> dict[str, Any]:
        """Collect a run's gallery; see `plait.tasks.caption.show.gallery.show_captions`."""
        return show_captions(_caption_learner(learner), feed, evaluation, fusion=fusion)

    def merge_galleries(self, shown: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        """Join the galleries of a comparison; see `plait.tasks.caption.show.gallery.merge_captions`."""
        return merge_captions(shown)

    def audit_recipe(self, recipe: Recipe, *, seeds: int) -> Audit | None:
        """Give None: with random weights there is no pair to find in noise, so captions have no such test."""
        return None

    def audit_split(
        self, before: Audit | None, learner: Learner, feed: Feed, recipe: Recipe, *, split: str, thorough: bool
    ) -> Audit | None:
        """Give what there was before: the evaluation itself removes and exchanges the image.

        Raises:
            ConfigError: a thorough audit is requested, which captions do not have.
        """
        if thorough:
            raise ConfigError(
                "a run of task 'caption' has no audit of its own; `plait evaluate` scores its captions beside those of "
                "other images and of a blank one, and flags a run that ignores the image"
            )
        return before

    def predictor(self, run: Run) -> CaptionModel:
        """Give a finished run ready for use: `CaptionModel.caption`."""
        return CaptionModel(run, _caption_learner(run.learner))


WORK: Work = CaptionWork()


def _caption_learner(learner: Learner) -> CaptionLearner:
    if not isinstance(learner, CaptionLearner):
        raise TypeError(f"expected a CaptionLearner, as CaptionWork.assemble gives, got {type(learner).__name__}")
    return learner
