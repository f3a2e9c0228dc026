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
from plait.nn.devices import device_of
from plait.nn.pooling import masked_mean
from plait.tasks.answer.facts import Fact, FactMemory

__all__ = ["AnswerLearner"]


class AnswerLearner(Learner):
    """A model whose head chooses among answers, and the objective that compares its choice with the right ones.

    Arguments:
        facts:  that every question may read, where there is a memory
        memory: how they are read; None = no facts. `reads_facts` switches it off, to measure what it adds
    """

    def __init__(
        self,
        model: FusionModel,
        objective: torch.nn.Module,
        *,
        facts: tuple[Fact, ...] = (),
        memory: FactMemory | None = None,
    ) -> None:
        super().__init__(model, objective)
        if not isinstance(model.head, AnswersHead):
            raise TypeError(f"expected a head that has a list of answers, got {type(model.head).__name__}")
        self.answers: tuple[str, ...] = model.head.answers
        self.facts = facts
        self.memory = memory
        self.reads_facts = memory is not None
        self._frozen_facts: tuple[Tokens, Tokens] | None = None

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
        if self.memory is not None and self.reads_facts:
            fused, _ = self.memory(fused, *self._encoded_facts())
        logits: AnswerLogits = self.model.read(fused)
        return logits, fused

    @torch.no_grad()
    def fact_weights(self, text: Tokens, image: Tokens) -> np.ndarray:
        """Give how much each fact is read for aligned pairs, (N, F) float32; F = 0 where there is no memory."""
        if self.memory is None:
            return np.zeros((len(text), 0), dtype=np.float32)
        _, weights = self.memory(self.model.fuse(text, image), *self._encoded_facts())
        found: np.ndarray = weights.float().cpu().numpy()
        return found

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

    def _encoded_facts(self) -> tuple[Tensor, Tensor]:
        """Give one vector per fact's key and value, (F, D) each; what is frozen of them is encoded once."""
        side, device = self.model.text, device_of(self)
        if side.has_frozen:
            if self._frozen_facts is None or self._frozen_facts[0].values.device != device:
                keys, values = (side.freeze(*self._fact_ids(part, device)) for part in (0, 1))
                self._frozen_facts = (keys, values)
            encoded = [self.model.encode_text(tokens) for tokens in self._frozen_facts]
        else:
            encoded = [self.model.encode_text(*self._fact_ids(part, device)) for part in (0, 1)]
        keys_of, values_of = (masked_mean(tokens.values, tokens.valid) for tokens in encoded)
        return keys_of, values_of

    def _fact_ids(self, part: int, device: torch.device) -> tuple[Tensor, Tensor]:
        ids, valid = self.model.text.text_input([fact[part] for fact in self.facts])
        return ids.to(device), valid.to(device)
