"""What matching asks of captions: the number of each caption's image."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

__all__ = ["ImageNumbers"]


class ImageNumbers:
    """The number of each caption's image: captions of one image are never each other's negatives.

    Shapes: image_of (C,) int64, the image of each caption of a collection
    """

    def __init__(self, image_of: np.ndarray) -> None:
        self.image_of = torch.from_numpy(image_of)

    def take(self, rows: np.ndarray, view: np.ndarray) -> Tensor:
        """Give the image numbers (B,) int64 of the captions `rows` (B,); no view changes them."""
        return self.image_of[torch.from_numpy(rows)]
