"""Binding accuracy: does a score prefer the true caption to one with a single fact changed?"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from plait.core.errors import InputError, ShapeError
from plait.metrics.numbers import as_numbers

__all__ = ["binding_accuracy"]


def binding_accuracy(score_true: np.ndarray | Tensor, score_counterfactual: np.ndarray | Tensor) -> float:
    """Give how often an image scores its true caption above the counterfactual one, in percent; a tie counts half.

    Shapes:
        score_true:           (N,) float, image n against its caption
        score_counterfactual: (N,) float, the same image against the caption with one fact changed
    Score scale: any; chance is 50 and so are constant scores.
    Undefined when: N is 0 (an error).
    Raises:
        ShapeError: the two differ in shape, or are not one-dimensional.
        InputError: nothing to compare, or a score is not a number.
    Example:
        >>> binding_accuracy(np.array([0.9, 0.5]), np.array([0.1, 0.5]))
        75.0
    """
    true, false = as_numbers(score_true), as_numbers(score_counterfactual)
    if true.ndim != 1 or true.shape != false.shape:
        raise ShapeError(f"binding scores: expected two vectors of one length, got {true.shape} and {false.shape}")
    if len(true) == 0:
        raise InputError("binding scores: expected at least one image with a counterfactual caption, got none")
    for name, values in (("true", true), ("counterfactual", false)):
        if np.isnan(values).any():
            raise InputError(f"binding scores, {name} captions: {int(np.isnan(values).sum())} are not numbers (NaN)")
    return float(((true > false) + 0.5 * (true == false)).mean() * 100.0)
