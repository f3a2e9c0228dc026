"""What is trained for classes: the image alone is read, because the text of such data is the answer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from plait.core.errors import ShapeError
from plait.core.types import Batch, ClassLogits, Loss, Tokens
from plait.model import FusionModel, Learner, raw_image

__all__ = ["ClassLearner"]


class ClassLearner(Learner):
    """A model whose head gives one logit per class, and the objective that compares it with the right one.

    The fusion is given one token of zeros as its text: no word of the data reaches the model, and the text side takes
    no gradient.

    Arguments:
        classes: their names, in the order of the logits
    """

    def __init__(self, model: FusionModel, objective: nn.Module, *, classes: Sequence[str]) -> None:
        super().__init__(model, objective)
        self.classes = tuple(classes)
        model.text.requires_grad_(False)

    def logits(self, image: Tokens) -> ClassLogits:
        """Give the logits of encoded images: Tokens (B, P, D) -> ClassLogits (B, K)."""
        blank = image.values.new_zeros(len(image), 1, image.values.shape[-1])
        valid = torch.ones(len(image), 1, dtype=torch.bool, device=image.values.device)
        found: ClassLogits = self.model.read(self.model.fuse(Tokens(blank, valid), image))
        return found

    def loss(self, batch: Batch) -> Loss:
        """Give the objective's loss of a batch whose target (B,) int64 holds the class of each caption's image.

        Raises:
            ShapeError: the batch holds no classes.
        """
        if not isinstance(batch.target, Tensor):
            raise ShapeError(f"expected classes (B,) int64 as the batch's target, got {type(batch.target).__name__}")
        image = self.model.encode_image(raw_image(batch))
        image = image if batch.image_row is None else image.take(batch.image_row)
        loss: Loss = self.objective(self.logits(image), batch.target)
        return loss
