"""What every contrastive objective is: a loss of the scores of all pairs, with the factor that scales them."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from plait.core.types import Loss

__all__ = ["Contrast"]


class Contrast(nn.Module, ABC):
    """An objective of a matrix of scores.

    Shapes:
        scores:  (N, N) float, row = image, column = text, diagonal = the given pairs
        group:   (N,) int64, the number of each pair's image; pairs of one image are never negatives of each other
        returns: Loss of () float
    """

    @property
    @abstractmethod
    def scale(self) -> Tensor:
        """The factor that turns scores into log-odds, () float."""

    @abstractmethod
    def forward(self, scores: Tensor, group: Tensor) -> Loss:
        """Give the loss of a score matrix; see the class."""
