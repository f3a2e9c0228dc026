"""What is trained for answers: every question is fused with its own image, and an answer is chosen from a list."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from plait.core.errors import ShapeError
from plait.core.types import AnswerLogits, AnswerTarget, Batch, Fused, Loss, Tokens
from plait.fusion.base.pairs import fuse_pairs
from plait.heads.base import AnswersHead
from plait.model import FusionModel, Learner

__all__ = ["AnswerLearner"]


class AnswerLearner(Learner):
    """A model whose head chooses among answers, and the objective that compares its choice with the right ones."""

    def __init__(self, model: FusionModel, objective: torch.nn.Module) -> None:
        super().__init__(model, objective)
        if not isinstance(model.head, AnswersHead):
            raise TypeError(f"expected a head that has a list of answers, got {type(model.head).__name__}")
        self.answers: tuple[str, ...] = model.head.answers

    def logits(
        self, text: Tokens, image: Tokens, *, image_row: Tensor | None = None, maps: bool = False
    ) -> tuple[AnswerLogits, Fused]:
        """Give the logits of every answer to each question about its own image, and the fused pairs.

        Shapes: text Tokens (N, T, D); image Tokens (U, P, D); image_row (N,) int64 in [0, U), or None where rows belong
        one to one. Returns AnswerLogits (N, A) and Fused of N pairs.
        """
        if image_row is None:
            fused = self.model.fuse(text, image, maps=maps)
        else:
            text_row = torch.arange(len(text), device=image_row.device)
            fused = fuse_pairs(self.model.fusion, text, image, text_row=text_row, image_row=image_row, maps=maps)
        logits: AnswerLogits = self.model.read(fused)
        return logits, fused

    @torch.no_grad()
    def probabilities(self, text: Tokens, image: Tokens, *, image_row: Tensor | None = None) -> np.ndarray:
        """Give the probability of every answer, without gradients.

        Shapes: as `logits`; returns (N, A) float32 in [0, 1]; rows sum to 1.
        """
        logits, _ = self.logits(text, image, image_row=image_row)
        found: np.ndarray = logits.values.float().softmax(-1).cpu().numpy()
        return found

    def loss(self, batch: Batch) -> Loss:
        """Give the objective's loss of a batch whose target is an `AnswerTarget`.

        Raises:
            ShapeError: the batch holds no answers.
        """
        if not isinstance(batch.target, AnswerTarget):
            raise ShapeError(
                f"expected an AnswerTarget as the batch's target, got {type(batch.target).__name__}; train on data "
                "whose captions have answers"
            )
        text, image = self.model.encode(batch)
        logits, _ = self.logits(text, image, image_row=batch.image_row)
        loss: Loss = self.objective(logits, batch.target)
        return loss
