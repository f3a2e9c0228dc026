"""Attention rollout: the attention of all layers, multiplied along them."""

from __future__ import annotations

import torch

from plait.explain.methods.propagate import carried, no_maps, relevance_of_rows
from plait.explain.methods.relevance import Relevance
from plait.explain.subject import Subject

__all__ = ["rollout"]


@torch.no_grad()
def rollout(subject: Subject) -> Relevance:
    """Give what each word has taken from each cell through all layers, heads averaged; see `carried`.

    Source: Abnar and Zuidema 2020. Differs: across two modalities by the rules of Chefer et al. 2021; only layers whose
    maps the fusion gives take part, which leaves out self-attention that is not shown.
    Raises:
        ConfigError: the fusion gives no map between text and image.
    """
    maps = subject.scored(subject.text, subject.image, maps=True).maps
    if not any(one.query != one.key for one in maps) or not subject.words:
        raise no_maps("rollout")
    table = carried(
        maps,
        lambda number: maps[number].weights[0].mean(0),
        texts=subject.text.values.shape[1],
        cells=subject.image.values.shape[1],
    )
    return relevance_of_rows(table, subject)
