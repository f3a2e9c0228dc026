"""Gradient-weighted attention: only what raises the answer is carried along the layers."""

from __future__ import annotations

import torch
from torch import Tensor

from plait.explain.methods.propagate import carried, no_maps, relevance_of_rows
from plait.explain.methods.relevance import Relevance
from plait.explain.subject import Subject

__all__ = ["gradient_attention"]


def gradient_attention(subject: Subject) -> Relevance:
    """Give what each word has taken from each cell through all layers, weighted by what it is worth to the answer.

    Formula: in place of the mean over heads, the mean over heads of max(0, A * d f / d A); see `carried`.

    Source: Chefer et al. 2021, equation 5. Differs: only layers whose maps the fusion gives take part.
    Raises:
        ConfigError: the fusion gives no map between text and image, or the answer is not computed from its maps.
    """
    # Without an input that wants a gradient, a frozen model's maps would be constants.
    inputs = subject.image.values.detach().clone().requires_grad_(True)
    image = type(subject.image)(
        inputs, subject.image.valid, subject.image.grid, subject.image.boxes, None, subject.image.levels
    )
    with torch.enable_grad():
        found = subject.scored(subject.text, image, maps=True)
        maps = found.maps
        if not any(one.query != one.key for one in maps) or not subject.words:
            raise no_maps("gradient_attention")
        wanted = [one.weights for one in maps]
        if not any(one.requires_grad for one in wanted):
            raise no_maps("gradient_attention")
        slopes = torch.autograd.grad(found.values.sum(), wanted, allow_unused=True)
    if all(slope is None for slope in slopes):
        raise no_maps("gradient_attention")

    def weigh(number: int) -> Tensor:
        slope = slopes[number]
        weights = maps[number].weights.detach()[0]
        return torch.zeros_like(weights[0]) if slope is None else (weights * slope[0]).clamp(min=0).mean(0)

    table = carried(maps, weigh, texts=subject.text.values.shape[1], cells=inputs.shape[1])
    return relevance_of_rows(table, subject)
