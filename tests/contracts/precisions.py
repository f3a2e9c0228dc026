"""How near two ways of computing one number come, by precision."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from plait.nn.precision import Precision

__all__ = ["BFLOAT16", "FLOAT32", "Tolerance"]


@dataclass(frozen=True)
class Tolerance:
    """What counts as equal at a precision.

    Fields:
        precision: of matrix products
        absolute:  for numbers of size 1
        relative:  beside it
    """

    precision: Precision
    absolute: float
    relative: float

    def check(self, found: Tensor, expected: Tensor, *, relative: float = 0.0) -> None:
        """Fail unless both tensors are equal up to rounding, or up to a larger `relative` tolerance."""
        torch.testing.assert_close(
            found.float(), expected.float(), atol=self.absolute, rtol=max(self.relative, relative)
        )


FLOAT32 = Tolerance("fp32", 1e-5, 1e-5)
BFLOAT16 = Tolerance("bf16", 0.03, 0.03)
