"""What every method gives: the relevance of each cell to the answer, and to what each word adds to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Relevance"]


@dataclass(frozen=True, eq=False)
class Relevance:
    """The relevance of an image's P cells, row by row over the grid.

    Fields:
        image:  (P,) float64 for the whole text; below 0 = the cell speaks against the answer
        words:  (W, P) float64, one map per word
        signed: whether values below 0 can occur
    """

    image: np.ndarray
    words: np.ndarray
    signed: bool
