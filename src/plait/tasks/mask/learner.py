"""What is trained for masks: every text is fused with its own image, and a mask is read from the two."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from plait.core.errors import ShapeError
from plait.core.types import Batch, Fused, Loss, MaskLogits, MaskTarget, Tokens
from plait.fusion.base.pairs import fuse_pairs
from plait.model import FusionModel, Learner

__all__ = ["MaskLearner", "eval_mode"]


class MaskLearner(Learner):
    """A model whose head gives masks, and the objective that compares them with the true ones."""

    def masks(
        self, text: Tokens, image: Tokens, *, image_row: Tensor | None = None, maps: bool = False
    ) -> tuple[MaskLogits, Fused]:
        """Give the mask of the region that each text refers to in its own image, and the fused pairs.

        What needs one side alone is done once per image. The image's finer levels go past the fusion to the head.

        Arguments:
            maps: return attention maps in `Fused.maps`
        Shapes: text Tokens (N, T, D); image Tokens (U, P, D); image_row (N,) int64 in [0, U), or None where rows belong
        one to one. Returns MaskLogits (N, h, w), at the head's own resolution in the image encoder's input frame, and
        Fused of N pairs.
        """
        if image_row is None:
            levels = image.levels
            fused = self.model.fuse(text, image, maps=maps)
        else:
            levels = image.take(image_row).levels
            text_row = torch.arange(len(text), device=image_row.device)
            fused = fuse_pairs(self.model.fusion, text, image, text_row=text_row, image_row=image_row, maps=maps)
        logits: MaskLogits = self.model.read(replace(fused, image=replace(fused.image, levels=levels)))
        return logits, fused

    @torch.no_grad()
    def probabilities(self, text: Tokens, image: Tokens, *, image_row: Tensor | None = None) -> np.ndarray:
        """Give the probability that a cell of the input frame is foreground, without gradients.

        Shapes: as `masks`; returns (N, h, w) float32 in [0, 1].
        """
        logits, _ = self.masks(text, image, image_row=image_row)
        found: np.ndarray = logits.values.float().sigmoid().cpu().numpy()
        return found

    def loss(self, batch: Batch) -> Loss:
        """Give the objective's loss of a batch whose target is a `MaskTarget` of N masks.

        Raises:
            ShapeError: the batch holds no masks.
        """
        if not isinstance(batch.target, MaskTarget):
            raise ShapeError(
                f"expected a MaskTarget as the batch's target, got {type(batch.target).__name__}; train on data whose "
                "captions have masks"
            )
        text, image = self.model.encode(batch)
        logits, _ = self.masks(text, image, image_row=batch.image_row)
        loss: Loss = self.objective(logits, batch.target)
        return loss


@contextmanager
def eval_mode(model: FusionModel) -> Iterator[None]:
    """Put a model in eval mode for the time of a block, and back in the mode that it was in."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
