"""Objectives of question answering: one answer as the target, or the score of every answer."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn
from torch.nn import functional as F

from plait.core.errors import ConfigError, ShapeError
from plait.core.types import AnswerLogits, AnswerTarget, Loss

__all__ = ["AnswerBinary", "AnswerCrossEntropy", "AnswerObjective"]


class AnswerObjective(nn.Module, ABC):
    """An objective of logits over a list of answers.

    Shapes:
        logits:  AnswerLogits (B, A) float
        target:  AnswerTarget of scores (B, A) float in [0, 1] and common (B,) int64, -1 = no right answer in the list
        returns: Loss of () float32 at least
    """

    @abstractmethod
    def forward(self, logits: AnswerLogits, target: AnswerTarget) -> Loss:
        """Give the loss of a batch of questions; see the class."""


class AnswerCrossEntropy(AnswerObjective):
    """Take the most common right answer as the class of each question.

    Formula: mean over questions with a right answer in the list of -log softmax(logits)[common]; 0 where no question
    has one. With `smoothing` s the target is 1 - s + s / A for that answer and s / A for each other.

    Arguments:
        smoothing: label smoothing, in [0, 1)
    Raises:
        ConfigError: smoothing out of range.
        ShapeError: logits and target differ in shape.
    Source: Antol et al. 2015 (VQA). Differs: a question whose answers are all outside the list takes no part.
    """

    def __init__(self, *, smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0 <= smoothing < 1:
            raise ConfigError(f"objective 'answer_ce', smoothing: expected a value from 0 to below 1, got {smoothing}")
        self.smoothing = smoothing

    def forward(self, logits: AnswerLogits, target: AnswerTarget) -> Loss:
        """Give the mean in nats per question with a known answer; see the class."""
        values = _checked(logits, target)
        known = target.common >= 0
        each = F.cross_entropy(values, target.common.clamp(min=0), reduction="none", label_smoothing=self.smoothing)
        total = each.masked_fill(~known, 0.0).sum() / known.sum().clamp(min=1)
        return Loss(total, {"answer": total.detach()})


class AnswerBinary(AnswerObjective):
    """Ask of every answer by itself how right it is.

    Formula: mean over questions of the sum over answers of -(s log p + (1 - s) log(1 - p)), with p = sigmoid(logit) and
    s the answer's soft score.

    Raises:
        ShapeError: logits and target differ in shape.
    Source: Teney et al. 2018 (Tips and tricks for VQA), section 3.6. Differs: a question whose answers are all outside
    the list stays, with all scores 0, as theirs do.
    """

    def forward(self, logits: AnswerLogits, target: AnswerTarget) -> Loss:
        """Give the mean in nats per question; see the class."""
        values = _checked(logits, target)
        each = F.binary_cross_entropy_with_logits(values, target.scores.to(values), reduction="none").sum(1)
        total = each.mean()
        return Loss(total, {"answer": total.detach()})


def _checked(logits: AnswerLogits, target: AnswerTarget) -> torch.Tensor:
    """Give the logits in float32 at least, once they fit the target."""
    values = logits.values
    if values.shape != target.scores.shape or values.shape[:1] != target.common.shape:
        raise ShapeError(
            f"answers: expected logits and scores (B, A) and common (B,), got {tuple(values.shape)}, "
            f"{tuple(target.scores.shape)} and {tuple(target.common.shape)}"
        )
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values
