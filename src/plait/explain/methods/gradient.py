"""Gradients with respect to the image's cells, times the cells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from plait.core.types import Tokens
from plait.explain.methods.relevance import Relevance
from plait.explain.subject import Subject

__all__ = ["as_relevance", "cell_gradients", "gradient", "texts_to_compare"]


def gradient(subject: Subject) -> Relevance:
    """Give each cell's gradient times its difference from the mean cell: to first order, what blanking it would cost.

    Formula: image_p = <d f / d x_p, x_p - mean of x>; words as in `occlusion`, of f(text) - f(text without the word).

    Source: Shrikumar et al. 2017 (gradient times input), after Simonyan et al. 2014. Differs: relative to the mean cell,
    which is what deletion puts in a cell's place; finer levels of the image are held as they are.
    """
    text = texts_to_compare(subject)
    image = subject.image.values.expand(len(text), -1, -1)
    away = image - image.mean(1, keepdim=True)
    return as_relevance((cell_gradients(subject, text, image) * away).sum(-1))


def texts_to_compare(subject: Subject) -> Tokens:
    """Give the text as it is and then without each of its words: Tokens (1 + W, T, D)."""
    whole = replace(subject.text, pooled=None)
    if not subject.words:
        return whole
    less = subject.without_words()
    return replace(
        whole, values=torch.cat([whole.values, less.values]), valid=torch.cat([whole.valid, less.valid]), levels=()
    )


def cell_gradients(subject: Subject, text: Tokens, image: Tensor) -> Tensor:
    """Give the gradient of each pair's number with respect to its own image's cells: (B, P, D).

    Shapes: text Tokens (B, T, D); image (B, P, D) values of the subject's image, or of what stands in its place.
    """
    inputs = image.detach().clone().requires_grad_(True)
    levels = tuple(replace(one, values=one.values.expand(len(text), -1, -1)) for one in subject.image.levels)
    tokens = replace(
        subject.image, values=inputs, valid=subject.image.valid.expand(len(text), -1), pooled=None, levels=levels
    )
    with torch.enable_grad():
        total = subject.scored(text, tokens).values.sum()  # rows do not see each other
        (found,) = torch.autograd.grad(total, inputs, allow_unused=True)
    return torch.zeros_like(inputs) if found is None else found


def as_relevance(values: Tensor) -> Relevance:
    """Make relevance of rows for the text and for the text without each word: (1 + W, P)."""
    table = values.detach().double().cpu().numpy()
    words: np.ndarray = table[:1] - table[1:]
    return Relevance(table[0], words, signed=True)
