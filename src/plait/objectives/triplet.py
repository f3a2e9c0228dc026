"""The triplet loss of VSE++: the given pair must score higher than its negatives by a margin."""

from __future__ import annotations

import torch
from torch import Tensor

from plait.core.errors import ConfigError
from plait.core.types import Loss
from plait.objectives.base import Contrast
from plait.objectives.pairs import checked_scores, negative_pairs
from plait.objectives.scale import CLIP_SCALE

__all__ = ["Triplet"]


class Triplet(Contrast):
    """Penalise every negative that scores within a margin of the given pair; after a warm-up, only the hardest one.

    Formula: with c_ij = max(0, margin + s_ij - s_ii) along rows and d_ij = max(0, margin + s_ij - s_jj) along columns,
    over i, j of different images,
        total = mean_i max_j c_ij + mean_j max_i d_ij      (max_violation, once warmed up)
        total = mean_i sum_j c_ij + mean_j sum_i d_ij      (otherwise).

    Arguments:
        margin:        how far the given pair must be ahead, in units of the scores
        max_violation: use only the hardest negative of each row and column
        warmup_steps:  so many calls in train mode use the sum, before the maximum begins
    Shapes:
        scores:  (N, N) float, row = image, column = text, diagonal = the given pairs
        group:   (N,) int64, the number of each pair's image
        returns: Loss of () float >= 0 in units of the scores, mean per pair; parts "i2t" (rows) and "t2i" (columns)
    Requirements: at least two images in the batch; with one, the loss and its gradient are 0.
    Gradient: to the scores.
    Raises:
        ShapeError: scores are not square, or the groups do not fit them.
        ConfigError: margin is not above 0, or warmup_steps is below 0.
    Source: Faghri et al. 2018 (VSE++), equations 5 and 6. Differs: mean over the batch in place of the sum, so that the
    value does not grow with it (a collapsed model shows 2 * margin, theirs 2 * N * margin); other captions of the same
    image are no negatives; the warm-up is inside and its count is part of the state, so that a resumed run continues.
    Relations: `scale` is no part of the loss; `Matching` draws its negatives with it.
    Example:
        >>> loss = Triplet(margin=0.2, warmup_steps=0)(torch.zeros(3, 3), torch.tensor([0, 1, 2]))
        >>> round(loss.total.item(), 4)
        0.4
    """

    calls: Tensor

    def __init__(self, *, margin: float = 0.2, max_violation: bool = True, warmup_steps: int = 200) -> None:
        super().__init__()
        if not margin > 0:
            raise ConfigError(f"triplet margin: expected a value above 0, got {margin}; 0.2 suits cosines")
        if warmup_steps < 0:
            raise ConfigError(f"triplet warmup_steps: expected 0 or more, got {warmup_steps}")
        self.margin = margin
        self.max_violation = max_violation
        self.warmup_steps = warmup_steps
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    @property
    def scale(self) -> Tensor:
        """The fixed factor negatives are mined with, () float: CLIP's first value."""
        return torch.tensor(CLIP_SCALE, device=self.calls.device)

    @property
    def is_warming_up(self) -> bool:
        """Whether the next call uses the sum although the maximum is requested."""
        return self.max_violation and int(self.calls) < self.warmup_steps

    def forward(self, scores: Tensor, group: Tensor) -> Loss:
        """Give the loss of a score matrix; see the class. In train mode the call is counted."""
        scores = checked_scores(scores, group)
        use_maximum = self.max_violation and not self.is_warming_up
        given = scores.diagonal()
        negative = negative_pairs(group)
        rows = (self.margin + scores - given[:, None]).clamp(min=0).masked_fill(~negative, 0.0)
        columns = (self.margin + scores - given[None, :]).clamp(min=0).masked_fill(~negative, 0.0)
        i2t = (rows.amax(1) if use_maximum else rows.sum(1)).mean()
        t2i = (columns.amax(0) if use_maximum else columns.sum(0)).mean()
        if self.training:
            self.calls += 1
        return Loss(i2t + t2i, {"i2t": i2t.detach(), "t2i": t2i.detach()})
