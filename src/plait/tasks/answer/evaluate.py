"""Evaluate answers on a split: figures, what is left without a side, answers that need no model, question types."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from plait.core.config import Recipe
from plait.core.errors import InputError
from plait.core.evaluation import Evaluation, Measured
from plait.metrics.answers import common_answer, exact_match, question_type, soft_accuracy
from plait.metrics.statistics import paired_difference
from plait.metrics.wups import wordnet_similarity, wups
from plait.nn.precision import resolve_precision
from plait.tasks.answer.answers import Priors, answers_of
from plait.tasks.answer.learner import AnswerLearner
from plait.tasks.answer.metrics import ABLATED, FACTS_REMOVED, METRIC_OF, accuracy_key
from plait.tasks.answer.reading import AS_TRAINED, ask

if TYPE_CHECKING:
    from plait.train.feed import Feed

__all__ = ["IGNORES_IMAGE", "IGNORES_TEXT", "AnswerAnswers", "evaluate_answers"]

IGNORES_IMAGE, IGNORES_TEXT = "ignores the image", "ignores the text"
FALL_RESAMPLES = 4000
# The table of question types has at most so many rows; the rest is one row.
TYPES_SHOWN = 12
NO_WORDNET = "not measured: nltk or its WordNet data is not installed"


@dataclass(frozen=True, eq=False)
class AnswerAnswers:
    """What the gallery needs of an evaluation of C questions.

    Fields:
        best:          (C, K) int64, columns of the list of answers, the most probable first
        probabilities: (C, K) float in [0, 1]
    """

    best: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True)
class _Measured:
    """Images and questions of a split: images (I,) sorted, rows (C,), owner (C,) in [0, I), weights (I,), given (C)."""

    images: np.ndarray
    rows: np.ndarray
    owner: np.ndarray
    weights: np.ndarray
    given: tuple[tuple[str, ...], ...]

    def averaged(self, values: np.ndarray) -> np.ndarray:
        """Average the values of each image's questions, in percent: (C,) -> (I,)."""
        found: np.ndarray = 100.0 * np.bincount(self.owner, weights=values, minlength=len(self.images)) / self.weights
        return found

    def accuracy(self, answers: Sequence[str]) -> np.ndarray:
        """Give the soft accuracy of an answer to each question: (C,) float in [0, 1]."""
        return np.array([soft_accuracy(one, given) for one, given in zip(answers, self.given, strict=True)])


def evaluate_answers(
    learner: AnswerLearner,
    feed: Feed,
    recipe: Recipe,
    *,
    split: str,
    limit: int | None = None,
    known: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Answer every question of a split and compare with what people answered.

    Arguments:
        limit: only the split's first images, and accuracy alone: for curves
        known: `details` of an earlier evaluation, whose most common answers are used; else those of the train split
    Returns: an `Evaluation` whose `answers` are `AnswerAnswers`. Its details hold the priors, by how much accuracy
    falls with another image and with another question, accuracy by question type, how many questions have no right
    answer in the list, and why there is no WUPS where it is not measured.
    Raises:
        InputError: the split holds no question, or there is no train split to count the most common answers in.
    """
    began = time.perf_counter()
    measured = _measured(feed, split, limit)
    precision = resolve_precision(recipe.train.precision, feed.device.type)
    was_training = learner.training
    learner.eval()
    try:
        kinds: tuple[str, ...] = (AS_TRAINED,) if limit is not None else (AS_TRAINED, *ABLATED)
        if limit is None and learner.memory is not None:
            kinds = (*kinds, FACTS_REMOVED)
        asked = ask(learner, feed, measured.rows, precision=precision, kinds=kinds, progress=progress)
    finally:
        learner.train(was_training)
    said = {kind: [learner.answers[column] for column in best[:, 0]] for kind, best in asked.best.items()}
    values = {"accuracy": measured.accuracy(said[AS_TRAINED])}
    details: dict[str, Any] = {}
    flags: tuple[str, ...] = ()
    if limit is None:
        priors = _priors(feed, known)
        five = [measured.accuracy([learner.answers[c] for c in column]) for column in asked.best[AS_TRAINED].T]
        values["top5"] = np.max(five, axis=0)
        values |= _without_model(measured, priors, feed) | _of_answers(measured, said, set(learner.answers))
        details, flags = _details(learner, measured, values, priors, feed)
    by_image = {key: measured.averaged(each) for key, each in values.items()}
    return Evaluation(
        split=split,
        images=tuple(int(i) for i in measured.images),
        captions=tuple(int(i) for i in measured.rows),
        measured=tuple(_as_measured(key, by_image[key], measured.weights) for key in METRIC_OF if key in by_image),
        score_kind="probability",
        flags=flags,
        details=details,
        eval_s=time.perf_counter() - began,
        answers=AnswerAnswers(asked.best[AS_TRAINED], asked.probabilities),
    )


def _measured(feed: Feed, split: str, limit: int | None) -> _Measured:
    images = np.array(feed.collection.splits[split][:limit], dtype=np.int64)
    rows = np.flatnonzero(np.isin(feed.image_of, images))
    if not len(rows):
        raise InputError(
            f"data {feed.collection.name!r}: split {split!r} holds no question; there is nothing to measure"
        )
    with_questions, owner = np.unique(feed.image_of[rows], return_inverse=True)
    given = tuple(answers_of(feed.collection, int(row)) for row in rows)
    return _Measured(with_questions, rows, owner, np.bincount(owner), given)


def _priors(feed: Feed, known: Mapping[str, Any] | None) -> Priors:
    if known is not None:
        return Priors.known(known)
    train = set(feed.collection.splits.get("train", ()))
    return Priors.of(feed.collection, [row for row, image in enumerate(feed.image_of) if image in train])


def _without_model(measured: _Measured, priors: Priors, feed: Feed) -> dict[str, np.ndarray]:
    """Give the accuracy of the most common answers, key -> (C,) float in [0, 1]."""
    per_type = [priors.answer(feed.texts[row]) for row in measured.rows]
    return {
        accuracy_key("most common"): measured.accuracy([priors.common] * len(per_type)),
        accuracy_key("per type"): measured.accuracy(per_type),
    }


def _of_answers(measured: _Measured, said: Mapping[str, list[str]], listed: set[str]) -> dict[str, np.ndarray]:
    """Give what each question adds to the figures of what was answered but accuracy, key -> (C,) float in [0, 1]."""
    chosen, given = said[AS_TRAINED], measured.given
    best_listed = [max((soft_accuracy(one, right) for one in set(right) & listed), default=0.0) for right in given]
    values = {
        "exact": np.array([exact_match(one, right) for one, right in zip(chosen, given, strict=True)]),
        "coverage": np.array(best_listed),
        **{accuracy_key(kind): measured.accuracy(answers) for kind, answers in said.items() if kind != AS_TRAINED},
    }
    similarity = wordnet_similarity()
    if similarity is not None:
        pairs = [(one, common_answer(right)) for one, right in zip(chosen, given, strict=True)]
        for key, threshold in (("wups_90", 0.9), ("wups_00", 0.0)):
            values[key] = np.array([wups(one, right, similarity, threshold=threshold) for one, right in pairs])
    return values


def _details(
    learner: AnswerLearner, measured: _Measured, values: Mapping[str, np.ndarray], priors: Priors, feed: Feed
) -> tuple[dict[str, Any], tuple[str, ...]]:
    by_image = {key: measured.averaged(each) for key, each in values.items()}
    falls = {kind: _fall(by_image, kind, measured.weights) for kind in ("image shuffled", "text shuffled")}
    listed = set(learner.answers)
    details = {
        "answers": len(learner.answers),
        "unseen": sum(not set(right) & listed for right in measured.given),
        "priors": priors.to_json(),
        "falls": falls,
        "types": _types(measured, values, feed),
        "wups": "measured" if "wups_90" in values else NO_WORDNET,
    }
    found = (("image shuffled", IGNORES_IMAGE), ("text shuffled", IGNORES_TEXT))
    return details, tuple(flag for kind, flag in found if falls[kind]["low"] <= 0)


def _fall(by_image: Mapping[str, np.ndarray], kind: str, weights: np.ndarray) -> dict[str, float]:
    """Give by how much accuracy falls under an ablation, with its 95 % interval."""
    fall = paired_difference(
        by_image["accuracy"], by_image[accuracy_key(kind)], weights=weights, resamples=FALL_RESAMPLES
    )
    return {"difference": fall.difference, "low": fall.low, "high": fall.high}


def _types(measured: _Measured, values: Mapping[str, np.ndarray], feed: Feed) -> list[dict[str, Any]]:
    """Give figures by the first two words of a question, the most frequent first; rare ones are joined."""
    kinds = np.array([question_type(feed.texts[row]) for row in measured.rows])
    names, counts = np.unique(kinds, return_counts=True)
    order = np.lexsort((names, -counts))
    frequent = [str(names[i]) for i in order[:TYPES_SHOWN]]
    groups = [(name, kinds == name) for name in frequent]
    if len(names) > TYPES_SHOWN:
        groups.append(("others", ~np.isin(kinds, frequent)))
    shown = ("accuracy", accuracy_key("image removed"), accuracy_key("per type"))
    return [
        {
            "type": name,
            "questions": int(where.sum()),
            **{key: round(100 * float(values[key][where].mean()), 2) for key in shown},
        }
        for name, where in groups
    ]


def _as_measured(key: str, values: np.ndarray, weights: np.ndarray) -> Measured:
    return Measured(METRIC_OF[key], float(values @ weights / weights.sum()), values, weights)
