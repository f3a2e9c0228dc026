"""Small checks of shapes and masks, used where one room passes tensors to another."""

from __future__ import annotations

import torch
from torch import Tensor

from plait.core.errors import ShapeError

__all__ = ["check_mask", "check_shapes"]


def check_shapes(*tensors: tuple[str, Tensor, str]) -> dict[str, int]:
    """Check the shapes of named tensors against letters, where one letter means one size throughout.

    Each argument is (name, tensor, letters), letters such as "B Q D"; one "..." means any dimensions.

    Returns: the size of every letter.
    Raises:
        ShapeError: a tensor has another number of dimensions, or a letter would need two sizes.
    Example:
        >>> check_shapes(("query", torch.zeros(2, 5, 8), "B Q D"), ("query_valid", torch.ones(2, 5), "B Q"))
        {'B': 2, 'Q': 5, 'D': 8}
    """
    sizes: dict[str, int] = {}
    first: dict[str, str] = {}
    for name, tensor, letters in tensors:
        wanted = letters.split()
        shape = tuple(tensor.shape)
        if "..." in wanted:
            gap = wanted.index("...")
            free = len(shape) - len(wanted) + 1
            pairs = [
                *zip(wanted[:gap], shape, strict=False),
                *zip(wanted[gap + 1 :], shape[gap + max(free, 0) :], strict=False),
            ]
        else:
            free = len(shape) - len(wanted)
            pairs = [*zip(wanted, shape, strict=False)]
        if free < 0 or ("..." not in wanted and free > 0):
            raise ShapeError(
                f"{name} should have dimensions ({', '.join(wanted)}), but its shape is {shape}; "
                "reshape it, or check the order of the arguments"
            )
        for letter, size in pairs:
            if sizes.setdefault(letter, size) != size:
                raise ShapeError(
                    f"{name} should have {letter} = {sizes[letter]} as {first[letter]} has, but its shape is {shape} "
                    f"for ({', '.join(wanted)}); make the two fit"
                )
            first.setdefault(letter, name)
    return sizes


def check_mask(name: str, mask: Tensor) -> None:
    """Refuse a mask that is not boolean: a float or integer mask would be added or multiplied without an error.

    Raises:
        ShapeError: the mask's dtype is not bool.
    """
    if mask.dtype is not torch.bool:
        raise ShapeError(f"{name} should be a bool mask with True = real, but it is {mask.dtype}; pass mask.bool()")
