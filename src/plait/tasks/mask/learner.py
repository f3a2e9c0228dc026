"""What is trained for masks: every text is fused with its own image, and a mask is read from the two."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from plait.core.errors import ShapeError
from plait.core.types import Batch, Fused, Loss, MaskLogits, MaskTarget, Tokens
from plait.fusion.base.pairs import fuse_pairs
from plait.heads.presence import PresenceHead
from plait.model import FusionModel, Learner
from plait.objectives.mask import MaskLoss

__all__ = ["MaskAnswer", "MaskLearner", "eval_mode"]


@dataclass(frozen=True, eq=False)
class MaskAnswer:
    """What a model says of N pairs, in main memory.

    Fields:
        cells:    (N, h, w) float32 in [0, 1], the probability that a cell of the input frame is foreground
        presence: (N,) float32 in [0, 1], the probability that there is anything to mark, or None: the model has no
                  presence head
    """

    cells: np.ndarray
    presence: np.ndarray | None


class MaskLearner(Learner):
    """A model whose head gives masks, and the objective that compares them with the true ones.

    Arguments:
        model:     its head gives `MaskLogits`
        objective: of masks
        presence:  tells whether there is anything to mark; None where no absent phrase is trained on
    """

    objective: MaskLoss

    def __init__(self, model: FusionModel, objective: MaskLoss, *, presence: PresenceHead | None = None) -> None:
        super().__init__(model, objective)
        self.presence = presence

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
    def answer(self, text: Tokens, image: Tokens, *, image_row: Tensor | None = None) -> MaskAnswer:
        """Give masks and presence as probabilities, without gradients. Shapes: as `masks`; returns N of each."""
        logits, fused = self.masks(text, image, image_row=image_row)
        presence = None if self.presence is None else self.presence(fused, logits)
        return MaskAnswer(
            logits.values.float().sigmoid().cpu().numpy(),
            None if presence is None else presence.float().sigmoid().cpu().numpy(),
        )

    def probabilities(self, text: Tokens, image: Tokens, *, image_row: Tensor | None = None) -> np.ndarray:
        """Give the probability that a cell of the input frame is foreground, without gradients.

        Shapes: as `masks`; returns (N, h, w) float32 in [0, 1].
        """
        return self.answer(text, image, image_row=image_row).cells

    def loss(self, batch: Batch) -> Loss:
        """Give the objective's loss of a batch whose target is a `MaskTarget` of N masks.

        Pairs that the target names as absent are fused too, after the N pairs that belong together.

        Raises:
            ShapeError: the batch holds no masks.
        """
        target = batch.target
        if not isinstance(target, MaskTarget):
            raise ShapeError(
                f"expected a MaskTarget as the batch's target, got {type(target).__name__}; train on data whose "
                "captions have masks"
            )
        text, image = self.model.encode(batch)
        row = batch.image_row
        if target.absent is not None and len(target.absent):
            own = torch.arange(len(text), device=target.absent.device)
            row = own if row is None else row
            text = text.take(torch.cat([own, target.absent[:, 0]]))
            row = torch.cat([row, row[target.absent[:, 1]]])
        logits, fused = self.masks(text, image, image_row=row)
        presence = None if self.presence is None else self.presence(fused, logits)
        loss: Loss = self.objective(logits, target, presence=presence)
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
