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
from plait.tasks.classify.assemble import assemble, fill_in, use_of
from plait.tasks.classify.evaluate import evaluate_classes
from plait.tasks.classify.learner import ClassLearner
from plait.tasks.classify.predict import ClassModel
from plait.tasks.classify.show.gallery import merge_classes, show_classes
from plait.tasks.classify.targets import ClassTargets, check_classes, class_numbers
from plait.trained import Run

if TYPE_CHECKING:
    from plait.audit.record import Audit
    from plait.train.feed import Feed

__all__ = ["WORK", "ClassifyWork"]


class ClassifyWork:
    """Classes: what `plait.task.Work` asks of a task."""

    def check_data(self, collection: Collection) -> None:
        """Refuse data whose images do not have one class each."""
        check_classes(collection)

    def fill_in(self, recipe: Recipe, collection: Collection) -> Recipe:
        """Give the recipe with the list of the training split's classes; see `plait.tasks.classify.assemble`."""
        return fill_in(recipe, collection)

    def use(self, recipe: Recipe) -> Use:
        """Say how the recipe's fusion is used; see `plait.tasks.classify.assemble.use_of`."""
        return use_of(recipe)

    def assemble(self, recipe: Recipe, text: Side, image: Side) -> ClassLearner:
        """Join the sides with fusion, head and objective."""
        return assemble(recipe, text, image)

    def first_stage(self, recipe: Recipe) -> Recipe | None:
        """Give None: a run begins from new weights."""
        return None

    def begin_from(self, learner: Learner, first: Learner) -> None:
        """Refuse: there is no first stage."""
        raise ConfigError("task 'classify' trains in one stage; no run begins from another")

    def targets(self, learner: Learner, feed: Feed) -> ClassTargets:
        """Give the captions' classes by their place in the learner's list."""
        return ClassTargets(class_numbers(feed.collection, _class_learner(learner).classes))

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
        """Measure a split; see `plait.tasks.classify.evaluate.evaluate_classes`."""
        return evaluate_classes(
            _class_learner(learner), feed, recipe, split=split, limit=limit, known=known, progress=progress
        )

    def learned(self, record: Mapping[str, Any]) -> bool:
        """Say whether accuracy is above the most common class by more than three binomial standard deviations."""
        floor = record["metrics"]["accuracy_most_common"] / 100.0
        bound = floor + 3.0 * (floor * (1 - floor) / record["data"]["photos"]) ** 0.5
        return bool(record["metrics"]["accuracy"] / 100.0 > bound)

    def gallery(self, learner: Learner, feed: Feed, evaluation: Evaluation, *, fusion: str) -> dict[str, Any]:
        """Collect a run's gallery; see `plait.tasks.classify.show.gallery.show_classes`."""
        return show_classes(feed, evaluation, _class_learner(learner).classes)

    def merge_galleries(self, shown: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        """Join the galleries of a comparison; see `plait.tasks.classify.show.gallery.merge_classes`."""
        return merge_classes(shown)

    def audit_recipe(self, recipe: Recipe, *, seeds: int) -> Audit | None:
        """Give None: with random weights there is no pair to find in noise, so classes have no such test."""
        return None

    def audit_split(
        self, before: Audit | None, learner: Learner, feed: Feed, recipe: Recipe, *, split: str, thorough: bool
    ) -> Audit | None:
        """Give what there was before: the evaluation itself removes and exchanges the image.

        Raises:
            ConfigError: a thorough audit is requested, which classes do not have.
        """
        if thorough:
            raise ConfigError(
                "a run of task 'classify' has no audit of its own; `plait evaluate` removes and exchanges its image, "
                "and flags a run that ignores it; `plait data check` finds images shared by the splits"
            )
        return before

    def predictor(self, run: Run) -> ClassModel:
        """Give a finished run ready for use: `ClassModel.classify`."""
        return ClassModel(run, _class_learner(run.learner))


WORK: Work = ClassifyWork()


def _class_learner(learner: Learner) -> ClassLearner:
    if not isinstance(learner, ClassLearner):
        raise TypeError(f"expected a ClassLearner, as ClassifyWork.assemble gives, got {type(learner).__name__}")
    return learner
