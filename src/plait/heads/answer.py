"""The head of question answering: one logit for each answer of a list."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from plait.core.errors import ConfigError
from plait.core.types import AnswerLogits, Fused
from plait.heads.base import AnswersHead
from plait.heads.match import PairedVectors
from plait.nn.dropout import Dropout

__all__ = ["AnswerHead"]


class AnswerHead(AnswersHead):
    """Choose among a fixed list of answers.

    Formula: W2 drop(gelu(W1 LayerNorm([t; i]) + b1)) + b2, where t and i are the sides' own pooled vectors if the
    fusion set them, else their tokens pooled.

    Arguments:
        width:   D of the fused tokens
        answers: the list, at least two different answers
        hidden:  width of the hidden layer; 0 = 2 D
        dropout: on the hidden layer
        pool:    how tokens become one vector: "mean", "max" or "attention"
    Shapes:
        fused:   text (B, T, D), image (B, P, D) float
        returns: AnswerLogits (B, A), unbounded
    Raises:
        ConfigError: fewer than two answers, one that comes twice, or an unknown pool.
        ShapeError: the fused width is not `width`.
    Source: Antol et al. 2015 (VQA), section 4.2, a classifier over the most frequent answers. Differs: it reads both
    fused sides, since some fusions change one side alone; a layer norm and GELU in place of tanh.
    """

    def __init__(
        self, width: int, *, answers: Sequence[str] = (), hidden: int = 0, dropout: float = 0.0, pool: str = "mean"
    ) -> None:
        super().__init__()
        if len(answers) < 2 or len(set(answers)) < len(answers):
            raise ConfigError(
                f"head 'answer': expected a list of at least two different answers, got {len(answers)}; the list is "
                "made of the training questions' answers: give more of them, or lower head.min_count"
            )
        hidden = hidden if hidden > 0 else 2 * width
        self.answers = tuple(answers)
        self.vectors = PairedVectors(width, pool)
        self.mlp = nn.Sequential(
            nn.LayerNorm(2 * width),
            nn.Linear(2 * width, hidden),
            nn.GELU(),
            Dropout(dropout),
            nn.Linear(hidden, len(answers)),
        )

    def forward(self, fused: Fused) -> AnswerLogits:
        """Score every answer for each pair, (B, A); see the class."""
        return AnswerLogits(self.mlp(torch.cat(self.vectors(fused), -1)))
