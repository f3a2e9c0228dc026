"""Occlusion: blank one cell at a time and see what the answer loses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from plait.core.types import Tokens
from plait.explain.blank import keep_cells
from plait.explain.methods.relevance import Relevance
from plait.explain.subject import Subject

__all__ = ["occlusion"]


def occlusion(subject: Subject) -> Relevance:
    """Give what the answer loses when a cell is blanked.

    Formula: image_p = f(text, image) - f(text, image without p);
        words_wp = image_p - [f(text without w, image) - f(text without w, image without p)],
    what the cell is worth with the word and not without it. Blank is the mean cell (`keep_cells`).

    Cost: (W + 1) (P + 1) fused pairs.
    Source: Zeiler and Fergus 2014, section 4.2. Differs: cells of the encoder's grid are blanked, not pixels, so a cell
    still knows what the encoder saw around it; the difference by word is ours.
    """
    cells = subject.image.values.shape[1]
    keep = torch.cat([torch.ones(1, cells, dtype=torch.bool), ~torch.eye(cells, dtype=torch.bool)])
    images = keep_cells(subject.image, keep)

    def losses(text: Tokens) -> np.ndarray:
        found = subject.values(text, images).double().cpu().numpy()
        lost: np.ndarray = found[0] - found[1:]
        return lost

    whole = losses(replace(subject.text, pooled=None))
    if not subject.words:
        return Relevance(whole, np.zeros((0, cells)), signed=True)
    less = subject.without_words()
    words = [whole - losses(less.take(slice(row, row + 1))) for row in range(len(less))]
    return Relevance(whole, np.stack(words), signed=True)
