"""The part of matching that computes; see `plait.task.Work`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plait.audit.record import Audit
from plait.core.config import Recipe
from plait.core.errors import ConfigError, InputError
from plait.core.evaluation import Evaluation
from plait.core.types import Targets
from plait.data.collection import Collection
from plait.model import Learner, Side
from plait.task import Progress, Use
from plait.tasks.match.audit import audit_recipe, audit_split
from plait.tasks.match.evaluate import LEAST_IMAGES, evaluate_split
from plait.tasks.match.learner import MatchLearner, assemble, use_of
from plait.tasks.match.pairings.first_stage import take_towers, towers_recipe
from plait.tasks.match.predict import MatchModel
from plait.tasks.match.show.gallery import merge_galleries, show_run
from plait.tasks.match.targets import ImageNumbers
from plait.train.feed import Feed
from plait.trained import Run

__all__ = ["WORK", "MatchWork"]


class MatchWork:
    """Matching: learners, targets, evaluation, galleries, audits and predictors. Docstrings: `plait.task.Work`."""

    def check_data(self, collection: Collection) -> None:
        """Refuse data in which fewer than 2 images have captions: there is nothing to distinguish.

        Raises:
            InputError: as said.
        """
        images = {caption.image for caption in collection.captions}
        if len(images) < LEAST_IMAGES:
            raise InputError(
                f"data {collection.name!r}: {len(images)} photo(s) with captions; matching needs at least "
                f"{LEAST_IMAGES}"
            )

    def fill_in(self, recipe: Recipe, collection: Collection) -> Recipe:
        """Give the recipe back: nothing of it depends on the data."""
        return recipe

    def use(self, recipe: Recipe) -> Use:
        """Say how the recipe's fusion is used, before anything is loaded."""
        return use_of(recipe)

    def assemble(self, recipe: Recipe, text: Side, image: Side) -> MatchLearner:
        """Join the sides with fusion, head, towers and objective."""
        return assemble(recipe, text, image)

    def first_stage(self, recipe: Recipe) -> Recipe | None:
        """Give the recipe of the towers, where the pairing trains them first; see `plait.tasks.match.learner`."""
        return towers_recipe(recipe)

    def begin_from(self, learner: Learner, first: Learner) -> None:
        """Take over encoders, summaries and towers from a run of the towers alone."""
        take_towers(_matching(learner), _matching(first))

    def targets(self, learner: Learner, feed: Feed) -> Targets:
        """Give the number of each caption's image."""
        return ImageNumbers(feed.image_of)

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
        """Measure retrieval in both directions and, where the data has counterfactuals, binding."""
        return evaluate_split(
            _matching(learner), feed, split=split, precision=recipe.train.precision, limit=limit, progress=progress
        )

    def learned(self, record: Mapping[str, Any]) -> bool:
        """Say whether text-to-image recall@1 is above chance by more than three binomial standard deviations."""
        chance = 1.0 / record["data"]["photos"]
        bound = chance + 3.0 * (chance * (1 - chance) / record["data"]["captions"]) ** 0.5
        return bool(record["metrics"]["t2i_r1"] / 100.0 > bound)

    def gallery(self, learner: Learner, feed: Feed, evaluation: Evaluation, *, fusion: str) -> dict[str, Any]:
        """Collect the best answers for a sample of images and captions, and attention maps."""
        return show_run(_matching(learner), feed, evaluation, fusion=fusion)

    def merge_galleries(self, shown: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        """Join the galleries of a comparison's fusions."""
        return merge_galleries(shown)

    def audit_recipe(self, recipe: Recipe, *, seeds: int) -> Audit | None:
        """Audit the recipe's fusion with random weights on noise."""
        return audit_recipe(recipe, seeds=seeds)

    def audit_split(
        self, before: Audit | None, learner: Learner, feed: Feed, recipe: Recipe, *, split: str, thorough: bool
    ) -> Audit | None:
        """Add what the trained model does with captions or images shuffled, removed or exchanged."""
        return audit_split(before, _matching(learner), feed, recipe, split=split, thorough=thorough)

    def predictor(self, run: Run) -> MatchModel:
        """Give a finished run ready for use: `match`."""
        return MatchModel(run)


def _matching(learner: Learner) -> MatchLearner:
    if not isinstance(learner, MatchLearner):
        raise ConfigError(f"task 'match': expected a MatchLearner, got {type(learner).__name__}")
    return learner


WORK = MatchWork()
