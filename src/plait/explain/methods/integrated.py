"""Integrated gradients: the gradient averaged on the way from a blank image to the image."""

from __future__ import annotations

import torch

from plait.explain.methods.gradient import (
    as_relevance,
    grids_of_image,
    slopes_of_grids,
    summed_by_cell,
    texts_to_compare,
)
from plait.explain.methods.relevance import Relevance
from plait.explain.subject import Subject

__all__ = ["STEPS", "integrated_gradients"]

STEPS = 32


def integrated_gradients(subject: Subject) -> Relevance:
    """Give each cell's share of what the answer gains from a blank image to the image.

    Formula: image_p = <x_p - b, mean over a of d f / d x_p at b + a (x - b)>, with b the mean cell in every place and a
    the midpoints of 32 steps; finer levels go the same way and are added to the cell that they lie in; words as in
    `occlusion`. The shares of all cells add up to f(image) - f(blank).

    Cost: 32 passes forward and back of W + 1 pairs.
    Source: Sundararajan et al. 2017. Differs: the blank image is the mean cell, as in deletion; midpoints.
    """
    text = texts_to_compare(subject)
    grids = grids_of_image(subject, len(text))
    blanks = [values.mean(1, keepdim=True) for values in grids]
    totals = [torch.zeros_like(values) for values in grids]
    for step in range(STEPS):
        share = (step + 0.5) / STEPS
        at = [blank + share * (values - blank) for values, blank in zip(grids, blanks, strict=True)]
        for total, slope in zip(totals, slopes_of_grids(subject, text, at), strict=True):
            total += slope / STEPS
    products = [(t * (v - b)).sum(-1) for t, v, b in zip(totals, grids, blanks, strict=True)]
    return as_relevance(summed_by_cell(subject, products))
