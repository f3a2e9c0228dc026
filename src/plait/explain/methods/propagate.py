"""Relevance carried along the attention of all layers, from the image's cells to the words and back.

Source: Chefer et al. 2021, "Generic attention-model explainability for interpreting bi-modal and encoder-decoder
transformers", equations 6 to 11.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from plait.core.errors import ConfigError
from plait.core.types import AttentionMap
from plait.explain.attention import merge_pieces
from plait.explain.methods.relevance import Relevance
from plait.explain.subject import Subject

__all__ = ["carried", "no_maps", "relevance_of_rows"]


def carried(maps: Sequence[AttentionMap], weigh: Callable[[int], Tensor], *, texts: int, cells: int) -> Tensor:
    """Give how much each text token has taken from each cell, through all layers: (T, P) float64.

    Formula: R_tt and R_ii begin as identities, R_ti and R_it as zeros. Layer by layer, with A the weighed map:
        text to text:   R_tt += A R_tt, R_ti += A R_ti, and likewise for the image;
        text to image:  R_ti += A n(R_ii), R_tt += A R_it, and likewise for image to text,
    where n divides by the row sums, so that each source has the weight that the layer gives it.

    Arguments:
        maps:  attention maps, batch of one
        weigh: number of a map -> (Q, K), its heads joined
    """
    size = {"text": texts, "image": cells}
    other = {"text": "image", "image": "text"}
    own = {side: torch.eye(size[side], dtype=torch.float64) for side in size}
    taken = {side: torch.zeros(size[side], size[other[side]], dtype=torch.float64) for side in size}
    for number in sorted(range(len(maps)), key=lambda place: maps[place].layer):
        one = maps[number]
        a = weigh(number).double().cpu()
        here, there = one.query, one.key
        if here == there:
            own[here], taken[here] = own[here] + a @ own[here], taken[here] + a @ taken[here]
        else:
            source = own[there] / own[there].sum(-1, keepdim=True).clamp(min=1e-12)
            own[here], taken[here] = own[here] + a @ taken[there], taken[here] + a @ source
    # Where only cells attend to words, what cells took is read backwards.
    return taken["text"] if bool(taken["text"].any()) else taken["image"].T


def relevance_of_rows(table: Tensor, subject: Subject) -> Relevance:
    """Average the rows of each word's tokens: (T, P) -> relevance; the whole text's map is the mean of its words."""
    values = table.cpu().numpy()
    members = merge_pieces(subject.pieces)[1]
    rows = [values[list(places)].mean(axis=0) for places in members]
    words = np.stack(rows) if rows else np.zeros((0, values.shape[1]))
    return Relevance(words.mean(axis=0) if rows else values.mean(axis=0), words, signed=False)


def no_maps(method: str) -> ConfigError:
    """Give the refusal of a method that needs attention between text and image."""
    return ConfigError(
        f"method {method!r} needs attention between text and image, which this fusion does not have or does not give; "
        "use occlusion, gradient or integrated_gradients"
    )
