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
from plait.tasks.answer.answers import check_answers
from plait.tasks.answer.assemble import assemble, use_of
from plait.tasks.answer.evaluate import evaluate_answers
from plait.tasks.answer.learner import AnswerLearner
from plait.tasks.answer.metrics import BASELINES, accuracy_key
from plait.tasks.answer.predict import AnswerModel
from plait.tasks.answer.show.gallery import merge_answers, show_answers
from plait.tasks.answer.targets import AnswerTargets
from plait.trained import Run

if TYPE_CHECKING:
    from plait.audit.record import Audit
    from plait.train.feed import Feed

__all__ = ["WORK", "AnswerWork"]


class AnswerWork:
    """Answers: what `plait.task.Work` asks of a task."""

    def check_data(self, collection: Collection) -> None:
        """Refuse data without answers. Raises InputError naming the first question that has none."""
        check_answers(collection)

    def fill_in(self, recipe: Recipe, collection: Collection) -> Recipe:
        """Give the recipe back: what depends on the data is `Task.head_data`."""
        return recipe

    def use(self, recipe: Recipe) -> Use:
        """Say how the recipe's fusion is used; see `plait.tasks.answer.assemble.use_of`."""
        return use_of(recipe)

    def assemble(self, recipe: Recipe, text: Side, image: Side) -> AnswerLearner:
        """Join the sides with fusion, head and objective."""
        return assemble(recipe, text, image)

    def first_stage(self, recipe: Recipe) -> Recipe | None:
        """Give None: a run begins from new weights."""
        return None

    def begin_from(self, learner: Learner, first: Learner) -> None:
        """Refuse: there is no first stage."""
        raise ConfigError("task 'answer' trains in one stage; no run begins from another")

    def targets(self, learner: Learner, feed: Feed) -> AnswerTargets:
        """Give how right each answer of the learner's list is to each question."""
        return AnswerTargets(feed.collection, _answer_learner(learner).answers)

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
        """Measure a split; see `plait.tasks.answer.evaluate.evaluate_answers`."""
        return evaluate_answers(
            _answer_learner(learner), feed, recipe, split=split, limit=limit, known=known, progress=progress
        )

    def learned(self, record: Mapping[str, Any]) -> bool:
        """Say whether a run's accuracy is above that of the answers that need no model."""
        metrics = record["metrics"]
        return bool(metrics["accuracy"] > max(metrics[accuracy_key(kind)] for kind in BASELINES))

    def gallery(self, learner: Learner, feed: Feed, evaluation: Evaluation, *, fusion: str) -> dict[str, Any]:
        """Collect a run's gallery; see `plait.tasks.answer.show.gallery.show_answers`."""
        return show_answers(_answer_learner(learner), feed, evaluation, fusion=fusion)

    def merge_galleries(self, shown: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        """Join the galleries of a comparison; see `plait.tasks.answer.show.gallery.merge_answers`."""
        return merge_answers(shown)

    def audit_recipe(self, recipe: Recipe, *, seeds: int) -> Audit | None:
        """Give None: with random weights there is no pair to find in noise, so answers have no such test."""
        return None

    def audit_split(
        self, before: Audit | None, learner: Learner, feed: Feed, recipe: Recipe, *, split: str, thorough: bool
    ) -> Audit | None:
        """Give what there was before: the evaluation itself removes and exchanges question and image.

        Raises:
            ConfigError: a thorough audit is requested, which answers do not have.
        """
        if thorough:
            raise ConfigError(
                "a run of task 'answer' has no audit of its own; `plait evaluate` removes and exchanges its question "
                "and image, and flags a run that ignores one of them"
            )
        return before

    def predictor(self, run: Run) -> AnswerModel:
        """Give a finished run ready for use: `AnswerModel.answer`."""
        return AnswerModel(run, _answer_learner(run.learner))


WORK: Work = AnswerWork()


def _answer_learner(learner: Learner) -> AnswerLearner:
    if not isinstance(learner, AnswerLearner):
        raise TypeError(f"expected an AnswerLearner, as AnswerWork.assemble gives, got {type(learner).__name__}")
    return learner
