"""Additive attention: weights from a small network's scores instead of a scaled dot product."""

from __future__ import annotations

import torch
from torch import Tensor

from plait.core.checks import check_mask, check_shapes

__all__ = ["masked_softmax", "weighted_mean"]


def masked_softmax(scores: Tensor, valid: Tensor) -> Tensor:
    """Turn scores into weights over the real tokens.

    Formula: softmax over N of the scores; tokens that are not real get weight 0.

    Shapes:
        scores:  (B, N) float
        valid:   (B, N) bool, True = real token
        returns: (B, N) float in [0, 1]; each row sums to 1, or is 0 throughout if no token is real
    Units: the softmax runs in float32 (float64 for float64) and is cast back.
    Raises:
        ShapeError: shapes do not fit, or the mask is not bool.
    Example:
        >>> masked_softmax(torch.zeros(1, 3), torch.tensor([[True, True, False]]))
        tensor([[0.5000, 0.5000, 0.0000]])
    """
    check_shapes(("scores", scores, "B N"), ("valid", valid, "B N"))
    check_mask("valid", valid)
    wide = scores.float() if scores.dtype in (torch.bfloat16, torch.float16) else scores
    # The lowest finite number, not -inf: a row without real tokens then stays finite in the gradient as well.
    weights = wide.masked_fill(~valid, torch.finfo(wide.dtype).min).softmax(-1)
    return (weights * valid).to(scores.dtype)


def weighted_mean(weights: Tensor, values: Tensor) -> Tensor:
    """Sum tokens by their weights.

    Shapes: weights (B, N) float, values (B, N, D) float -> (B, D) float, of the values' type.
    """
    check_shapes(("weights", weights, "B N"), ("values", values, "B N D"))
    return (weights.to(values.dtype)[:, None] @ values)[:, 0]
