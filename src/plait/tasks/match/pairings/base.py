"""What every pairing gives: the loss of a batch, and scores of a split, of pairs and of all pairs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import torch
from torch import Tensor

from plait.core.config import Recipe
from plait.core.types import Batch, Loss, Tokens
from plait.model import FusionModel, Side
from plait.objectives.base import Contrast
from plait.objectives.match import Matching
from plait.task import Progress
from plait.tasks.match.pairings.towers import Towers
from plait.tasks.match.score import FullScores, SplitScores, has_algebra, score_all, score_pairs

__all__ = ["Pairing"]


class Pairing(ABC):
    """How the texts and images of a batch, or of a split, are paired and scored.

    A pairing holds the parts of a learner and no weights of its own. What `loss` and `loss_of` compute has gradients
    and the precision of the training loop; all other methods are for evaluation and give float32.

    Fields:
        flags:     what must be said of every number, such as "leaky"
        reranks:   whether a split's scores re-rank the best candidates of a first stage
        outputs:   the outputs that the answer is made of, of "score", "text_out" and "image_out", for audits
        model:     encoders, fusion and head
        objective: the loss of scores
        towers:    the first stage of a two-stage pairing, or None
    """

    flags: ClassVar[tuple[str, ...]] = ()
    reranks: ClassVar[bool] = False
    outputs: ClassVar[tuple[str, ...]] = ("score",)

    def __init__(self, model: FusionModel, objective: Contrast | Matching, *, towers: Towers | None = None) -> None:
        self.model = model
        self.objective = objective
        self.towers = towers

    @classmethod
    @abstractmethod
    def build(cls, recipe: Recipe, text: Side, image: Side) -> Self:
        """Make the parts of a recipe. Weights are drawn for the fusion, the head, the towers and the objective.

        Raises:
            ConfigError: an unknown name or option.
        """

    @abstractmethod
    def loss_of(self, text: Tokens, image: Tokens, group: Tensor, *, image_row: Tensor | None = None) -> Loss:
        """Give the loss of encoded pairs.

        Objectives take one row per caption with its own image on the diagonal; an image that comes twice is
        scored once.

        Shapes: text Tokens (N, T, D); image Tokens (U, P, D); group (N,) int64, the number of each text's image;
        image_row (N,) int64 in [0, U), the row of each text's image, or None where rows belong one to one.
        """

    @abstractmethod
    def split(
        self, text: Tokens, image: Tokens, *, own: Tensor | None = None, progress: Progress | None = None
    ) -> SplitScores:
        """Score every image of a split with every caption.

        Arguments:
            progress: called with captions done and in all
        Shapes: text Tokens (C, T, D), image Tokens (I, P, D); own (C,) int64, the row of each caption's image, which
        pairings that score all pairs alike ignore.
        """

    @abstractmethod
    def full(self, text: Tokens, image: Tokens) -> FullScores:
        """Score every image with every text by the whole score: text Tokens (C, T, D), image Tokens (I, P, D).

        Raises:
            ConfigError: the pairing cannot score texts and images without knowing which belong together.
        """

    @abstractmethod
    def pairs(self, text: Tokens, image: Tokens) -> Tensor:
        """Score M aligned pairs by the whole score: text Tokens (M, T, D), image Tokens (M, P, D); returns (M,)."""

    def loss(self, batch: Batch) -> Loss:
        """Encode a batch and give its loss. `batch.target` (B,) int64 holds the number of each caption's image."""
        text, image = self.model.encode(batch)
        return self.loss_of(text, image, batch.target, image_row=batch.image_row)

    def aligned(self, text: Tokens, image: Tokens) -> Tensor:
        """Score aligned rows among themselves as `split` does, no candidates cut: (N, N), row = image, column = text.

        Shapes: text Tokens (N, T, D), image Tokens (N, P, D), row i with row i.
        """
        return self.full(text, image).values

    def aligned_log_odds(self, text: Tokens, image: Tokens) -> Tensor:
        """Give the log-odds of a match of aligned rows among themselves: (N, N), shapes as `aligned`."""
        return self.full(text, image).log_odds

    def choices(self, text: Tokens, image: Tokens) -> Tensor:
        """Give one image's log-odds with each of K texts: text Tokens (K, T, D), image Tokens (1, P, D) -> (K,)."""
        return self.full(text, image).log_odds[0]

    def fused(self, text: Tokens, image: Tokens) -> Tensor:
        """Score aligned rows among themselves by fusion and head alone: (N, N), shapes as `aligned`."""
        with torch.no_grad():
            return score_all(self.model, text, image, exact=True)

    def fused_pairs(self, text: Tokens, image: Tokens) -> Tensor:
        """Score N aligned pairs by fusion and head alone, (N,), with gradients; shapes as `aligned`."""
        row = self._image_row(text, None)
        return score_pairs(self.model, text, image, text_row=row, image_row=row, exact=True)

    @property
    def expands_pairs(self) -> bool:
        """Whether scoring n texts with n images takes n * n fusions."""
        return not has_algebra(self.model)

    @property
    def scale(self) -> Tensor:
        """The learned factor that turns a cosine into log-odds, () float, without gradient."""
        return self.objective.scale.detach()

    def _image_row(self, text: Tokens, image_row: Tensor | None) -> Tensor:
        """Give each text's image row, (N,) int64."""
        return torch.arange(len(text), device=text.values.device) if image_row is None else image_row
