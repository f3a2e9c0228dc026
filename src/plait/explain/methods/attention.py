"""The attention of the last layer, as it is."""

from __future__ import annotations

import numpy as np
import torch

from plait.explain.attention import word_maps
from plait.explain.methods.propagate import no_maps
from plait.explain.methods.relevance import Relevance
from plait.explain.subject import Subject

__all__ = ["attention"]


@torch.no_grad()
def attention(subject: Subject) -> Relevance:
    """Give what each word attended to, mean over heads; the map of the whole text is the mean of its words.

    It says where the fusion looked, and not that the answer depends on it.

    Raises:
        ConfigError: the fusion gives no map between text and image.
    """
    maps = subject.scored(subject.text, subject.image, maps=True).maps
    if not any(one.query != one.key for one in maps) or not subject.words:
        raise no_maps("attention")
    words: np.ndarray = word_maps(maps, subject.pieces, grid=subject.grid).weights.astype(np.float64)
    return Relevance(words.mean(axis=0), words, signed=False)
