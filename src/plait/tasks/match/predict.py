"""A trained matching model in use: images and texts in, scores out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from plait.core.errors import ConfigError
from plait.tasks.match.learner import MatchLearner
from plait.trained import ImageInput, Model, Run

__all__ = ["MatchModel", "MatchResult", "learner_of"]


@dataclass(frozen=True, eq=False)
class MatchResult:
    """How well each image and each text fit.

    Fields:
        scores:     (I, C) float32, higher = better; comparable within one model only
        prob_text:  (I, C) in [0, 1], each image's probability over the texts given: rows sum to 1
        prob_image: (I, C) in [0, 1], each text's probability over the images given: columns sum to 1
        score_kind: what `scores` are: "cosine", "logit" or "log-odds"
    """

    scores: np.ndarray
    prob_text: np.ndarray
    prob_image: np.ndarray
    score_kind: str


class MatchModel(Model):
    """A run of task "match", ready to use: `match` scores images with texts, `attention` shows one pair's maps."""

    @torch.no_grad()
    def match(self, images: Sequence[ImageInput], texts: Sequence[str]) -> MatchResult:
        """Score every image with every text by the whole score.

        Raises:
            InputError: no image or no text, an empty text, an image that cannot be read.
            ConfigError: the run's pairing scores nothing without knowing which belong together.
        """
        with self._precision():
            image, text = self.encode_images(images), self.encode_texts(texts)
            found = learner_of(self.run).pairing.full(text, image)
        return MatchResult(
            scores=found.values.numpy(force=True),
            prob_text=found.log_odds.softmax(1).numpy(force=True),
            prob_image=found.log_odds.softmax(0).numpy(force=True),
            score_kind=found.kind,
        )


def learner_of(run: Run) -> MatchLearner:
    """Give the matching learner of a run.

    Raises:
        ConfigError: it is a run of another task.
    """
    if not isinstance(run.learner, MatchLearner):
        raise ConfigError(f"{run.folder}: a run of task {run.recipe.task!r}; expected one of task 'match'")
    return run.learner
