"""Integrated gradients: the gradient averaged on the way from a blank image to the image."""

from __future__ import annotations

import torch

from plait.explain.methods.gradient import as_relevance, cell_gradients, texts_to_compare
from plait.explain.methods.relevance import Relevance
from plait.explain.subject import Subject

__all__ = ["STEPS", "integrated_gradients"]

STEPS = 32


def integrated_gradients(subject: Subject) -> Relevance:
    """Give each cell's share of what the answer gains from a blank image to the image.

    Formula: image_p = <x_p - b, mean over a of d f / d x_p at b + a (x - b)>, with b the mean cell in every place and a
    the midpoints of 32 steps; words as in `occlusion`. The shares of all cells add up to f(image) - f(blank).

    Cost: 32 passes forward and back of W + 1 pairs.
    Source: Sundararajan et al. 2017. Differs: the blank image is the mean cell, as in deletion; midpoints.
    """
    text = texts_to_compare(subject)
    image = subject.image.values.expand(len(text), -1, -1)
    blank = image.mean(1, keepdim=True).expand_as(image)
    total = torch.zeros_like(image)
    for step in range(STEPS):
        total += cell_gradients(subject, text, blank + (step + 0.5) / STEPS * (image - blank))
    return as_relevance((total / STEPS * (image - blank)).sum(-1))
