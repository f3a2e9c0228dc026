"""Gradients with respect to the image's cells, times the cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from plait.core.types import Level, Tokens
from plait.explain.methods.relevance import Relevance
from plait.explain.subject import Subject

__all__ = ["as_relevance", "gradient", "grids_of_image", "slopes_of_grids", "summed_by_cell", "texts_to_compare"]


def gradient(subject: Subject) -> Relevance:
    """Give each cell's gradient times its difference from the mean cell: to first order, what blanking it would cost.

    Formula: image_p = <d f / d x_p, x_p - mean of x>, finer levels of the image added to the cell that they lie in;
        words as in `occlusion`, of f(text) - f(text without the word).

    Source: Shrikumar et al. 2017 (gradient times input), after Simonyan et al. 2014. Differs: relative to the mean
    cell, which is what deletion puts in a cell's place.
    """
    text = texts_to_compare(subject)
    grids = grids_of_image(subject, len(text))
    slopes = slopes_of_grids(subject, text, grids)
    away = [values - values.mean(1, keepdim=True) for values in grids]
    return as_relevance(summed_by_cell(subject, [(s * a).sum(-1) for s, a in zip(slopes, away, strict=True)]))


def texts_to_compare(subject: Subject) -> Tokens:
    """Give the text as it is and then without each of its words: Tokens (1 + W, T, D)."""
    whole = replace(subject.text, pooled=None)
    if not subject.words:
        return whole
    less = subject.without_words()
    return replace(
        whole, values=torch.cat([whole.values, less.values]), valid=torch.cat([whole.valid, less.valid]), levels=()
    )


def grids_of_image(subject: Subject, rows: int) -> list[Tensor]:
    """Give the values of the image's cells (rows, P, D) and then of each finer level (rows, N, D')."""
    image = subject.image
    return [values.expand(rows, -1, -1) for values in (image.values, *(level.values for level in image.levels))]


def slopes_of_grids(subject: Subject, text: Tokens, grids: Sequence[Tensor]) -> list[Tensor]:
    """Give the gradient of each pair's number with respect to its own grids; zeros for a grid that is not read.

    Shapes: text Tokens (B, T, D); grids as `grids_of_image` gives, or what stands in their place; returns the same.
    """
    inputs = [values.detach().clone().requires_grad_(True) for values in grids]
    levels = tuple(Level(values, level.grid) for values, level in zip(inputs[1:], subject.image.levels, strict=True))
    image = replace(
        subject.image, values=inputs[0], valid=subject.image.valid.expand(len(text), -1), pooled=None, levels=levels
    )
    with torch.enable_grad():
        total = subject.scored(text, image).values.sum()  # rows do not see each other
        found = torch.autograd.grad(total, inputs, allow_unused=True)
    return [torch.zeros_like(at) if slope is None else slope for slope, at in zip(found, inputs, strict=True)]


def summed_by_cell(subject: Subject, products: Sequence[Tensor]) -> Tensor:
    """Add what the places of finer levels are worth to the cell that they lie in.

    Shapes: products (B, P), then (B, N) of each finer level; returns (B, P).
    """
    total = products[0].clone()
    cells = torch.arange(total.shape[1], device=total.device).float().view(1, 1, *subject.grid)
    for values, level in zip(products[1:], subject.image.levels, strict=True):
        owner = F.interpolate(cells, size=level.grid, mode="nearest").flatten().long()
        total = total.index_add(1, owner, values)
    return total


def as_relevance(values: Tensor) -> Relevance:
    """Make relevance of rows for the text and for the text without each word: (1 + W, P)."""
    table = values.detach().double().cpu().numpy()
    words: np.ndarray = table[:1] - table[1:]
    return Relevance(table[0], words, signed=True)
