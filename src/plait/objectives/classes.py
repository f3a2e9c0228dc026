"""The loss of classification: cross-entropy of the right class."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plait.core.errors import ConfigError, ShapeError
from plait.core.types import ClassLogits, Loss

__all__ = ["ClassCrossEntropy"]


class ClassCrossEntropy(nn.Module):
    """Average the cross-entropy of each image's class.

    Formula: mean over i of -sum_k q_ik log softmax(logits_i)_k, with q = (1 - s) at the right class plus s / K at all.

    Arguments:
        smoothing: s in [0, 1)
    Shapes:
        logits:  ClassLogits (B, K)
        target:  (B,) int64 in [0, K)
        returns: Loss of () float in nats per image; part "cross_entropy" is without smoothing
    Raises:
        ConfigError: smoothing outside [0, 1).
        ShapeError: the target does not fit, or a class is outside [0, K).
    Source: Szegedy et al. 2016, section 7, for the smoothing. Differs: none.
    Example:
        >>> loss = ClassCrossEntropy()(ClassLogits(torch.zeros(1, 4)), torch.tensor([2]))
        >>> round(loss.total.item(), 4)
        1.3863
    """

    def __init__(self, *, smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0 <= smoothing < 1:
            raise ConfigError(f"objective 'class_cross_entropy', smoothing: expected 0 to below 1, got {smoothing}")
        self.smoothing = smoothing

    def forward(self, logits: ClassLogits, target: Tensor) -> Loss:
        """Give the loss of a batch; see the class."""
        values = logits.values.float() if logits.values.dtype in (torch.float16, torch.bfloat16) else logits.values
        if target.shape != values.shape[:1] or target.dtype != torch.int64:
            raise ShapeError(f"expected {len(values)} classes (B,) int64, got {tuple(target.shape)} {target.dtype}")
        if bool(((target < 0) | (target >= values.shape[1])).any()):
            raise ShapeError(f"expected classes from 0 to {values.shape[1] - 1}; an image's class is not in the list")
        total = F.cross_entropy(values, target, label_smoothing=self.smoothing)
        plain = total.detach() if not self.smoothing else F.cross_entropy(values.detach(), target)
        return Loss(total, {"cross_entropy": plain})
