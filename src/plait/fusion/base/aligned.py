"""Queries aligned with their contexts, and two directions joined in one fused pair with equal weight."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from plait.core.types import Fused, Similarities, Tokens
from plait.nn.pairs import pool_similarities, unit_vectors

__all__ = ["both_directions", "both_similarities", "image_queries", "text_queries"]


def text_queries(text: Tokens, context: Tensor) -> tuple[Tokens, Tokens]:
    """Align words (B, T, D) with their contexts (B, T, D); both carry the words' mask."""
    return Tokens(text.values, text.valid), Tokens(context, text.valid)


def image_queries(image: Tokens, context: Tensor) -> tuple[Tokens, Tokens]:
    """Align contexts of regions (B, P, D), on the text side, with the regions; both carry the regions' mask."""
    return Tokens(context, image.valid), Tokens(image.values, image.valid, image.grid, image.boxes)


def both_directions(words: tuple[Tokens, Tokens], regions: tuple[Tokens, Tokens]) -> Fused:
    """Join both directions so that each counts one half, whatever the numbers of words and regions.

    Formula: token 0 of either side is all unit-length words (or their unit-length contexts) laid end to end in one long
    vector, token 1 the same for regions. Of such vectors, cos(text_k, image_k) = mean_q cos(text_q, image_q), so a mean
    over the two tokens is the mean of the two directions' means.

    Shapes:
        words:   text and image tokens (B, T, D) aligned word by word
        regions: text and image tokens (B, P, D) aligned region by region
        returns: Fused with (B, 2, max(T, P) * D) per side
    """
    length = max(words[0].values.shape[1], regions[0].values.shape[1])
    sides = []
    for side in (0, 1):
        values = torch.stack([_end_to_end(words[side], length), _end_to_end(regions[side], length)], 1)
        sides.append(Tokens(values, values.new_ones(values.shape[:2]).bool()))
    return Fused(sides[0], sides[1])


def both_similarities(words: Similarities, regions: Similarities) -> Similarities:
    """Give each direction's mean as one of two queries, (B, C, 2): what `both_directions` gives for aligned pairs."""
    means = [pool_similarities(s.values, s.valid, pool="mean") for s in (words, regions)]
    values = torch.stack(means, -1)
    return Similarities(values, values.new_ones((1, 1, 2)).bool())


def _end_to_end(tokens: Tokens, length: int) -> Tensor:
    unit = unit_vectors(tokens.values, tokens.valid)
    return F.pad(unit, (0, 0, 0, length - unit.shape[1])).flatten(1)
