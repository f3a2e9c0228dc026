"""InfoNCE: the given pair against the rest of its row and of its column."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from plait.core.types import Loss
from plait.objectives.base import Contrast
from plait.objectives.pairs import checked_scores, ignored_pairs
from plait.objectives.scale import CLIP_SCALE, MAX_SCALE, LearnedScale

__all__ = ["InfoNCE"]


class InfoNCE(Contrast):
    """Let each image find its text among the batch, and each text its image.

    Formula: with z = scale * scores, and z = -inf where two different pairs have the same image,
        total = (mean_i -log softmax_j(z_ij)[i]  +  mean_j -log softmax_i(z_ij)[j]) / 2.

    Arguments:
        scale:     first value of the learned factor; about 14.3 suits cosines, 1 suits logits
        max_scale: the factor never passes this
    Shapes:
        scores:  (N, N) float, row = image, column = text, diagonal = the given pairs
        group:   (N,) int64, the number of each pair's image
        returns: Loss of () float in nats; parts "i2t" (rows) and "t2i" (columns)
    Requirements: at least two images in the batch; with one, the loss and its gradient are 0.
    Gradient: to the scores and to the scale.
    Raises:
        ShapeError: scores are not square, or the groups do not fit them.
        ConfigError: not 0 < scale <= max_scale.
    Source: van den Oord et al. 2018; symmetric form and scale of Radford et al. 2021 (CLIP). Differs: other captions of
    the same image are taken out of both softmaxes; CLIP counts them as negatives.
    Example:
        >>> loss = InfoNCE(scale=1.0)(torch.zeros(2, 2), torch.tensor([0, 1]))
        >>> round(loss.total.item(), 4)
        0.6931
    """

    def __init__(self, *, scale: float = CLIP_SCALE, max_scale: float = MAX_SCALE) -> None:
        super().__init__()
        self.factor = LearnedScale(scale, maximum=max_scale)

    @property
    def scale(self) -> Tensor:
        """The factor the scores are multiplied with, () float in (0, max_scale]."""
        factor: Tensor = self.factor()
        return factor

    def forward(self, scores: Tensor, group: Tensor) -> Loss:
        """Give the loss of a score matrix; see the class."""
        logits = self.scale * checked_scores(scores, group)
        logits = logits.masked_fill(ignored_pairs(group), float("-inf"))
        target = torch.arange(len(group), device=logits.device)
        i2t = F.cross_entropy(logits, target)
        t2i = F.cross_entropy(logits.T, target)
        return Loss((i2t + t2i) / 2, {"i2t": i2t.detach(), "t2i": t2i.detach()})
