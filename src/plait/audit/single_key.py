"""Attention over one key: softmax of one number is 1, so queries and keys choose nothing."""

from __future__ import annotations

from collections.abc import Callable

import torch

from plait.core.types import Fused, Tokens

__all__ = ["has_single_key"]


@torch.no_grad()
def has_single_key(fuse: Callable[[Tokens, Tokens], Fused], text: Tokens, image: Tokens) -> bool:
    """Tell whether some attention between the sides has one key for every item.

    Arguments:
        fuse: aligned text and image tokens -> Fused with its attention maps
    Shapes: text Tokens (N, T, D), image Tokens (N, P, D).
    """
    valid = {"text": text.valid, "image": image.valid}
    for shown in fuse(text, image).maps:
        keys = shown.weights.shape[-1]
        real = valid[shown.key]
        if keys == 1 or (real.shape[1] == keys and int(real.sum(1).max()) == 1):
            return True
    return False
