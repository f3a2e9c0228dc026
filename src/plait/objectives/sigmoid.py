"""The sigmoid loss of SigLIP: binary cross-entropy of every entry of the score matrix."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plait.core.types import Loss
from plait.objectives.base import Contrast
from plait.objectives.pairs import checked_scores, negative_pairs
from plait.objectives.scale import MAX_SCALE, LearnedScale

__all__ = ["Sigmoid"]


class Sigmoid(Contrast):
    """Classify every image and text as a pair or not.

    Formula: with z = scale * scores + bias,
        total = (sum_i -log sigmoid(z_ii)  +  sum_{i, j of different images} -log sigmoid(-z_ij)) / N.

    Arguments:
        scale:     first value of the learned factor
        bias:      first value of the learned bias; negative, since most entries are negatives
        max_scale: the factor never passes this
    Shapes:
        scores:  (N, N) float, row = image, column = text, diagonal = the given pairs
        group:   (N,) int64, the number of each pair's image
        returns: Loss of () float in nats per example; parts "positive" and "negative", which add up to the total
    Requirements: none; a batch of one image has only positives.
    Gradient: to the scores, the scale and the bias.
    Raises:
        ShapeError: scores are not square, or the groups do not fit them.
        ConfigError: not 0 < scale <= max_scale.
    Source: Zhai et al. 2023 (SigLIP), algorithm 1: scale 10, bias -10. Differs: other captions of the same image are
    left out, where SigLIP counts them as negatives; the scale is capped, SigLIP's is not.
    Example:
        >>> loss = Sigmoid(scale=1.0, bias=0.0)(torch.zeros(2, 2), torch.tensor([0, 1]))
        >>> round(loss.total.item(), 4)
        1.3863
    """

    def __init__(self, *, scale: float = 10.0, bias: float = -10.0, max_scale: float = MAX_SCALE) -> None:
        super().__init__()
        self.factor = LearnedScale(scale, maximum=max_scale)
        self.bias = nn.Parameter(torch.tensor(float(bias)))

    @property
    def scale(self) -> Tensor:
        """The factor the scores are multiplied with, () float in (0, max_scale]."""
        factor: Tensor = self.factor()
        return factor

    def forward(self, scores: Tensor, group: Tensor) -> Loss:
        """Give the loss of a score matrix; see the class."""
        logits = self.scale * checked_scores(scores, group) + self.bias
        positive = -F.logsigmoid(logits.diagonal()).mean()
        against = -F.logsigmoid(-logits)
        negative = against.masked_fill(~negative_pairs(group), 0.0).sum() / len(group)
        return Loss(positive + negative, {"positive": positive.detach(), "negative": negative.detach()})
