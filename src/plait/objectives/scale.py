"""The learned positive factor that similarities are multiplied with before a softmax or sigmoid."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from plait.core.errors import ConfigError

__all__ = ["CLIP_SCALE", "MAX_SCALE", "LearnedScale"]

CLIP_SCALE = 1 / 0.07
MAX_SCALE = 100.0


class _CapFromAbove(torch.autograd.Function):
    """min(x, cap), whose gradient is stopped only when it would push x further above the cap."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, cap: float) -> Tensor:
        ctx.save_for_backward(value > cap)
        return value.clamp(max=cap)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (grad,) = grads
        (is_above,) = ctx.saved_tensors
        # A gradient step moves against the gradient: a positive one leads back below the cap.
        return torch.where(is_above, grad.clamp(min=0.0), grad), None


class LearnedScale(nn.Module):
    """Learn one positive factor by its logarithm, capped from above.

    Formula: exp(min(log_scale, ln maximum)).

    Shapes:
        returns: () float in (0, maximum]
    Raises:
        ConfigError: not 0 < initial <= maximum.
    Source: Radford et al. 2021 (CLIP): initial 1 / 0.07, at most 100. Differs: CLIP rewrites the parameter after each
    step; here the cap is part of the formula, and the gradient still flows where it leads back below the cap, so that a
    scale that overshot does not stay stuck.
    """

    def __init__(self, initial: float, *, maximum: float = MAX_SCALE) -> None:
        super().__init__()
        if not 0 < initial <= maximum:
            raise ConfigError(f"scale: expected 0 < scale <= max_scale, got {initial} and {maximum}")
        self.maximum = maximum
        self.log_scale = nn.Parameter(torch.tensor(math.log(initial)))

    def forward(self) -> Tensor:
        """Give the current factor, () float."""
        capped: Tensor = _CapFromAbove.apply(self.log_scale, math.log(self.maximum))
        return capped.exp()
