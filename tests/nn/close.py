"""Closeness at the precision a test runs at: PyTorch's own tolerances in float32, those of bfloat16 under autocast."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._pytree import tree_leaves

__all__ = ["assert_close"]

BF16 = 0.04  # bfloat16 has 8 bits: 1 / 256 per rounding, and a few roundings


def assert_close(found: Any, wanted: Any, *, atol: float | None = None, rtol: float | None = None) -> None:
    """Hold tensors, or sequences of them, as close; float64 and what is computed without autocast exactly so."""
    exact = any(leaf.dtype == torch.float64 for leaf in tree_leaves(found) if isinstance(leaf, torch.Tensor))
    if torch.is_autocast_enabled("cpu") and not exact:
        torch.testing.assert_close(found, wanted, atol=BF16, rtol=BF16, check_dtype=False)
    else:
        torch.testing.assert_close(found, wanted, atol=atol, rtol=rtol)
