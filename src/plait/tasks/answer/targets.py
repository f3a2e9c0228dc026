"""What training asks of the model: how right each answer of the list is, and which one is given most often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch

from plait.core.types import AnswerTarget
from plait.data.collection import Collection
from plait.metrics.answers import soft_accuracy
from plait.tasks.answer.answers import answers_of

__all__ = ["AnswerTargets"]


class AnswerTargets:
    """Targets of a collection's questions over a list of answers.

    Arguments:
        collection: its captions have answers
        answers:    the list, in the order of the logits' columns
    """

    def __init__(self, collection: Collection, answers: Sequence[str]) -> None:
        column = {answer: number for number, answer in enumerate(answers)}
        self.count = len(answers)
        self._scores: list[dict[int, float]] = []
        common = []
        for row in range(len(collection.captions)):
            given = answers_of(collection, row)
            scores = {column[one]: soft_accuracy(one, given) for one in set(given) if one in column}
            self._scores.append(scores)
            in_list = Counter(one for one in given if one in column)
            common.append(column[in_list.most_common(1)[0][0]] if in_list else -1)
        self.common = np.array(common, dtype=np.int64)

    def take(self, rows: np.ndarray, view: np.ndarray, /) -> AnswerTarget:
        """Give the targets of captions `rows` (B,) int64; a view changes nothing.

        Shapes: returns scores (B, A) float32, common (B,) int64.
        """
        scores = torch.zeros(len(rows), self.count)
        for place, row in enumerate(rows):
            for column, score in self._scores[int(row)].items():
                scores[place, column] = score
        return AnswerTarget(scores, torch.from_numpy(self.common[rows]))
