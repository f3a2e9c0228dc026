"""Pairing "all": every text meets every image."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

from plait.core.config import Recipe
from plait.core.types import Loss, Tokens
from plait.model import FusionModel, Side
from plait.objectives.base import Contrast
from plait.task import Progress
from plait.tasks.match.pairings.base import Pairing
from plait.tasks.match.parts import make_contrast, make_model
from plait.tasks.match.score import (
    FullScores,
    SplitScores,
    has_algebra,
    score_all,
    score_in_chunks,
)

__all__ = ["AllPairs"]


class AllPairs(Pairing):
    """Score every image with every caption through the fusion, in training as in evaluation."""

    objective: Contrast

    def __init__(self, model: FusionModel, objective: Contrast) -> None:
        super().__init__(model, objective)

    @classmethod
    def build(cls, recipe: Recipe, text: Side, image: Side) -> Self:
        """Make the parts of a recipe; see `Pairing.build`."""
        model = make_model(recipe, text, image)
        # A logit is on its own scale already; the objective's default suits cosines.
        return cls(model, make_contrast(recipe, scale=None if has_algebra(model) else 1.0))

    def loss_of(self, text: Tokens, image: Tokens, group: Tensor, *, image_row: Tensor | None = None) -> Loss:
        """Give the objective's loss of all pairs; see `Pairing.loss_of`."""
        row = self._image_row(text, image_row)
        loss: Loss = self.objective(score_all(self.model, text, image)[row], group)
        return loss

    @torch.no_grad()
    def split(
        self, text: Tokens, image: Tokens, *, own: Tensor | None = None, progress: Progress | None = None
    ) -> SplitScores:
        """Score every image with every caption; see `Pairing.split`."""
        scores = score_in_chunks(self._score, text, image, progress=progress)
        return SplitScores(scores, scores, self._kind)

    @torch.no_grad()
    def full(self, text: Tokens, image: Tokens) -> FullScores:
        """Score every image with every text; see `Pairing.full`."""
        scores = score_in_chunks(self._score, text, image)
        return FullScores(scores, self.scale * scores, self._kind)

    @torch.no_grad()
    def pairs(self, text: Tokens, image: Tokens) -> Tensor:
        """Score M aligned pairs, (M,); see `Pairing.pairs`."""
        return self.fused_pairs(text, image)

    def _score(self, text: Tokens, image: Tokens) -> Tensor:
        return score_all(self.model, text, image, exact=True)

    @property
    def _kind(self) -> str:
        return "cosine" if has_algebra(self.model) else "logit"
