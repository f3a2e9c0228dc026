"""Scores as NumPy arrays, whatever held them."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

__all__ = ["as_numbers"]


def as_numbers(values: Any) -> np.ndarray:
    """Give a tensor (any device, any precision) or an array-like as a NumPy array; half precision becomes float32."""
    if isinstance(values, Tensor):
        # bfloat16 has no NumPy type; float32 holds every one of its values exactly
        is_half = values.is_floating_point() and values.element_size() < 4
        values = (values.float() if is_half else values).numpy(force=True)
    return np.asarray(values)
