"""A run of answers in use: an image and a question in, the most probable answers out."""

from __future__ import annotations

import numpy as np

from plait.core.recipe.ranges import Range, checked_number
from plait.data.given import ImageInput, photo_of, text_list
from plait.data.images import load_rgb
from plait.data.text import UNK, WordInput
from plait.tasks.answer.learner import AnswerLearner
from plait.tasks.answer.result import AnswerResult, Choice
from plait.trained import Model, Run

__all__ = ["AnswerModel"]


class AnswerModel(Model):
    """A run of answers, ready to use; `answer` is its verb."""

    def __init__(self, run: Run, learner: AnswerLearner) -> None:
        super().__init__(run)
        self._learner = learner

    @property
    def answers(self) -> tuple[str, ...]:
        """Every answer that the run can give, the most common of its training first."""
        return self._learner.answers

    def answer(self, image: ImageInput, question: str, *, top: int = 5) -> AnswerResult:
        """Answer a question about an image, from the answers of the run's training questions.

        Arguments:
            image: a path, bytes, Pillow image, array or tensor; see `Model`
            top:   how many answers to give, the most probable first; all where there are fewer
        Raises:
            InputError: an empty question, or an image that cannot be read.
            ConfigError: `top` is below 1.
        """
        wanted = int(checked_number(top, "top", Range(1, why="how many answers to give")))
        photo = photo_of(image, "image")
        (asked,) = text_list([question], "question")
        with self._precision():
            regions, words = self.image_tokens([load_rgb(photo.source)]), self.text_tokens([asked])
            probabilities = self._learner.probabilities(words, regions)[0]
            weights = self._learner.fact_weights(words, regions)[0]
        best = np.argsort(-probabilities, kind="stable")[:wanted]
        notes = (*self._notes(asked), *self._read_fact(weights))
        choices = tuple(Choice(self.answers[column], float(probabilities[column])) for column in best)
        return AnswerResult(photo.id, asked, str(self.run.folder), choices, len(self.answers), notes)

    def _notes(self, question: str) -> tuple[str, ...]:
        """Say which words of a question the run has never learned, where its text encoder learns words."""
        read = self._model.text.text_input
        if not isinstance(read, WordInput):
            return ()
        words = [word for word in read.pieces(question)[1:-1] if read.vocabulary.number(word) == UNK]
        if not words:
            return ()
        named = ", ".join(repr(word) for word in dict.fromkeys(words))
        return (f"read as unknown, as the training questions do not have them often enough: {named}",)

    def _read_fact(self, weights: np.ndarray) -> tuple[str, ...]:
        """Say which fact was read most, (F,) float; nothing where there are none."""
        if not len(weights):
            return ()
        key, value = self._learner.facts[int(weights.argmax())]
        said = key if key == value else f"{key}: {value}"
        return (f"the fact read most: {said!r} ({100 * float(weights.max()):.0f} % of what was read)",)
