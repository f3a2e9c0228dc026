"""The loss of a mask: cross-entropy or focal loss per cell, and soft overlaps per image."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plait.core.errors import ConfigError, ShapeError
from plait.core.types import Loss, MaskLogits, MaskTarget

__all__ = ["MaskLoss", "at_cells", "soft_overlap"]

_TINY = 1e-6


def at_cells(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring logits to the cells of a target over the same square.

    Finer logits are averaged over each cell; coarser ones are read bilinearly at its centre.

    Shapes:
        logits:  (B, h, w) float
        size:    (h', w')
        returns: (B, h', w') float; the logits themselves where the grids are equal
    """
    if tuple(logits.shape[1:]) == size:
        return logits
    if logits.shape[1] >= size[0] and logits.shape[2] >= size[1]:
        return F.adaptive_avg_pool2d(logits[:, None], size)[:, 0]
    return F.interpolate(logits[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]


def soft_overlap(probability: Tensor, share: Tensor, valid: Tensor, *, kind: Literal["iou", "dice"]) -> Tensor:
    """Measure how far a soft mask covers the true one, for each image on its own.

    Formula: sums over the image's valid cells, i = sum p y, a = sum p, b = sum y:
        "iou": i / (a + b - i),   "dice": 2 i / (a + b).

    Shapes:
        probability: (B, h, w) float in [0, 1]
        share:       (B, h, w) float in [0, 1], the part of each cell that is foreground
        valid:       (B, h, w) bool, True = inside the image
        returns:     (B,) float in [0, 1]; 0 where an image has no foreground
    Units: cells of which a part is foreground keep it below 1, by little: with p = y they count y^2, not y.
    """
    p, y = (probability * valid).flatten(1), (share * valid).flatten(1)
    shared, both = (p * y).sum(1), p.sum(1) + y.sum(1)
    return 2 * shared / both.clamp(min=_TINY) if kind == "dice" else shared / (both - shared).clamp(min=_TINY)


class MaskLoss(nn.Module):
    """Compare a mask with the true one per cell and, if requested, by its overlap as well.

    Formula: with p = sigmoid(logit) and y the share of a cell that is foreground, for one image
        cell term, "bce":   mean over valid cells of k y (-ln p) + (1 - y) (-ln(1 - p)), divided by the mean of
                            k y + 1 - y, with k = positive_weight;
        cell term, "focal": mean over valid cells of alpha y (1 - p)^gamma (-ln p)
                            + (1 - alpha) (1 - y) p^gamma (-ln(1 - p));
        overlap term:       weight * (1 - soft_overlap(p, y)).
    Each is averaged over images, so an image with a large object counts no more than one with a small one.

    Imbalance: most masks cover a small part of an image, and plain cross-entropy is then low for an empty mask. The
    overlap terms do not depend on the background's size, focal loss reduces the weight of easy cells, and
    positive_weight counts foreground cells k times; one of the three is enough.

    Absent phrases: with absent = a, that share of a batch's texts is paired a second time, by the learner, with an
    image that lacks what they refer to (`MaskTarget.absent`). Such a pair adds its cell term against an empty mask,
    summed over these pairs and divided by the number of the others, so that what is learned from the others keeps its
    weight. Where the learner says with a logit whether there is anything to mark, that is compared too:
        presence term: presence * (mean over pairs with a region of -ln s + mean over the rest of -ln(1 - s)) / 2,
    s = sigmoid(logit). Both kinds count the same, however many there are: s is a probability at even odds.

    Empty masks: a text may refer to nothing in the image. An overlap with nothing is 0 whatever is predicted and gives
    no gradient, so with empty = "skip" the overlap term averages over the other images, and the cell term alone
    trains on empty masks; with "count" the image's term is the mean of p, 0 where nothing is predicted.

    Arguments:
        cells:           "bce" or "focal"
        overlap:         "none", "iou" or "dice"
        weight:          of the overlap term (lambda)
        positive_weight: of foreground cells, "bce" only; above 0
        gamma, alpha:    of "focal": gamma at least 0; alpha in (0, 1)
        empty:           "skip" or "count"
        absent:          share of texts that are paired with an image lacking their subject, in [0, 1]; 0 = none, and
                         then no presence is learned
        presence:        weight of the presence term
    Shapes:
        logits:   MaskLogits (B, h, w); (B + A, h, w) where the target names A absent pairs, these last
        target:   MaskTarget (B, h', w'); the logits are brought to its cells (`at_cells`)
        presence: (B + A,) float logits, or None
        returns:  Loss of () float, the cell term in nats per cell; parts "bce" or "focal" (of the B pairs), "iou" or
                  "dice", "absent" (the cell term of the A pairs, their mean) and "presence", before weighting. Images
                  without a valid cell count 0.
    Raises:
        ConfigError: a value is out of its range.
        ShapeError: other numbers of images, or a mask that does not fit its values.
    Source: Lin et al. 2017 (focal), Milletari et al. 2016 (soft Dice), Rahman & Wang 2016 (soft IoU). Differs: overlaps
    are per image, where the batch is often taken as one; no smoothing constant that would make empty masks a success.
    Example:
        >>> target = MaskTarget(torch.ones(1, 2, 2), torch.ones(1, 2, 2).bool())
        >>> round(MaskLoss(overlap="iou")(MaskLogits(torch.zeros(1, 2, 2)), target).total.item(), 4)
        1.1931
    """

    def __init__(
        self,
        *,
        cells: Literal["bce", "focal"] = "bce",
        overlap: Literal["none", "iou", "dice"] = "none",
        weight: float = 1.0,
        positive_weight: float = 1.0,
        gamma: float = 2.0,
        alpha: float = 0.25,
        empty: Literal["skip", "count"] = "skip",
        absent: float = 0.0,
        presence: float = 0.1,
    ) -> None:
        super().__init__()
        for name, got, allowed in (
            ("cells", cells, ("bce", "focal")),
            ("overlap", overlap, ("none", "iou", "dice")),
            ("empty", empty, ("skip", "count")),
        ):
            if got not in allowed:
                raise ConfigError(f"mask objective, {name}: expected {', '.join(allowed)}, got {got!r}")
        if not (weight >= 0 and positive_weight > 0 and gamma >= 0 and 0 < alpha < 1):
            raise ConfigError(
                "mask objective: expected weight >= 0, positive_weight > 0, gamma >= 0 and 0 < alpha < 1, got "
                f"{weight}, {positive_weight}, {gamma} and {alpha}"
            )
        if not (0 <= absent <= 1 and presence >= 0):
            raise ConfigError(
                f"mask objective: expected absent in [0, 1] and presence >= 0, got {absent} and {presence}"
            )
        self.cells, self.overlap, self.empty = cells, overlap, empty
        self.absent, self.presence = absent, presence
        self.weight, self.positive_weight = weight, positive_weight
        self.gamma, self.alpha = gamma, alpha

    def forward(self, logits: MaskLogits, target: MaskTarget, *, presence: Tensor | None = None) -> Loss:
        """Give the loss of a batch; see the class."""
        pairs = len(target)
        share, valid = _with_absent(target)
        if share.shape != valid.shape or len(logits) != len(share) or pairs == 0:
            raise ShapeError(
                f"mask objective: expected logits and target of the same images, got {tuple(logits.values.shape)}, "
                f"{tuple(share.shape)} and valid {tuple(valid.shape)}"
            )
        values = logits.values
        values = values if values.dtype == torch.float64 else values.float()
        values = at_cells(values, (share.shape[1], share.shape[2]))
        # Outside the image a value may be anything, NaN included: it must not enter even with weight 0.
        values, share = values.masked_fill(~valid, 0.0), share.to(values.dtype).masked_fill(~valid, 0.0)
        per_cell, counts = self._cell_terms(values, share)
        area = (counts * valid).flatten(1).sum(1).clamp(min=_TINY)
        per_image = (per_cell * valid).flatten(1).sum(1) / area
        total = per_image[:pairs].mean()
        parts: dict[str, Tensor] = {self.cells: total.detach()}
        if self.overlap != "none":
            lost = self._overlap_term(values.sigmoid()[:pairs], share[:pairs], valid[:pairs])
            parts[self.overlap] = lost.detach()
            total = total + self.weight * lost
        if len(share) > pairs:
            parts["absent"] = per_image[pairs:].mean().detach()
            total = total + per_image[pairs:].sum() / pairs
        if presence is not None:
            said = _presence_term(presence, (share > 0).flatten(1).any(1))
            parts["presence"] = said.detach()
            total = total + self.presence * said
        return Loss(total, parts)

    def _cell_terms(self, values: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        """Give each cell's loss and how much the cell counts, both (B, h, w)."""
        hit, miss = -F.logsigmoid(values), -F.logsigmoid(-values)
        if self.cells == "bce":
            counts = self.positive_weight * share + (1 - share)
            return self.positive_weight * share * hit + (1 - share) * miss, counts
        # p^gamma as exp(gamma ln p): the gradient of a power is not finite at 0
        hard_hit, hard_miss = torch.exp(-self.gamma * miss), torch.exp(-self.gamma * hit)
        terms = self.alpha * share * hard_hit * hit + (1 - self.alpha) * (1 - share) * hard_miss * miss
        return terms, torch.ones_like(share)

    def _overlap_term(self, probability: Tensor, share: Tensor, valid: Tensor) -> Tensor:
        kind: Literal["iou", "dice"] = "dice" if self.overlap == "dice" else "iou"
        has_object = (share > 0).flatten(1).any(1)
        lost = 1 - soft_overlap(probability, share, valid, kind=kind)
        if self.empty == "skip":
            return (lost * has_object).sum() / has_object.sum().clamp(min=1)
        mean = (probability * valid).flatten(1).sum(1) / valid.flatten(1).sum(1).clamp(min=1)
        return torch.where(has_object, lost, mean).mean()


def _with_absent(target: MaskTarget) -> tuple[Tensor, Tensor]:
    """Give the values and valid cells of a batch's pairs and of its absent pairs, whose masks are empty."""
    if target.absent is None or not len(target.absent):
        return target.values, target.valid
    inside = target.valid[target.absent[:, 1]]
    return torch.cat([target.values, torch.zeros_like(inside, dtype=target.values.dtype)]), torch.cat(
        [target.valid, inside]
    )


def _presence_term(presence: Tensor, has_object: Tensor) -> Tensor:
    """Give the cross-entropy of presence logits (N,), the pairs with and without an object counting the same."""
    if presence.shape != has_object.shape:
        raise ShapeError(
            f"mask objective: expected a presence logit for each of {len(has_object)} pairs, got "
            f"{tuple(presence.shape)}"
        )
    lost = F.softplus(torch.where(has_object, -presence, presence))
    kinds = (has_object, ~has_object)
    return sum(((lost * kind).sum() / kind.sum().clamp(min=1) for kind in kinds), start=lost.new_zeros(())) / 2
