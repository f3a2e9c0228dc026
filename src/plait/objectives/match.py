"""Image-text matching: a fused head learns to tell given pairs from negatives that the towers score high."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plait.core.errors import ConfigError, ShapeError, TrainingError
from plait.core.types import Loss
from plait.objectives.base import Contrast
from plait.objectives.pairs import checked_scores, negative_pairs, widened

__all__ = ["Matching", "mine_negatives"]


class Matching(nn.Module):
    """Train two towers by a contrast and a fused head by binary cross-entropy on negatives that the towers score high.

    Formula: total = contrast(tower_scores) + weight * BCE over the given pairs (label 1), each image with one mined
    text (label 0) and each text with one mined image (label 0). A text j is mined for image i with probability
    softmax_j(scale * score_ij) over texts of other images; an image for a text likewise down the column.

    Arguments:
        contrast: the objective of the towers (`InfoNCE`, `Sigmoid` or `Triplet`)
        weight:   of the matching term
        given:    how many of the N given pairs the fused head scores, each with its two negatives, drawn again at
                  every call; 0 = all. The contrast always takes all N: fusion is the expensive part
    Shapes:
        tower_scores: (N, N) float, row = image, column = text, diagonal = the given pairs
        group:        (N,) int64, the number of each pair's image
        score_pairs:  called once with text and image row numbers, both (M,) int64, M = 3 times the given pairs; gives
                      (M,) logits
        returns:      Loss of () float in nats per example; parts: the contrast's, "contrast", "match" (before the
                      weight) and "mined" (how many negatives were drawn: 2 per given pair, or 0)
    Requirements: at least two images in the batch. A batch of one image has no negatives; then the matching term is 0
    and `score_pairs` is not called, so that the head never sees positives without negatives.
    Gradient: to the tower scores through the contrast only (mining has none), and through `score_pairs`.
    Randomness: `torch.multinomial` on the global generator, so that the training loop's seed governs it.
    Raises:
        ShapeError: scores, groups or what `score_pairs` gives do not fit.
        TrainingError: a tower score is not finite, so nothing can be mined.
        ConfigError: weight or given is below 0.
    Source: Li et al. 2021 (ALBEF), section 3.2; Li et al. 2022 (BLIP). Differs: one logit and binary cross-entropy in
    place of two logits and softmax (the same model with half the last layer); no momentum queue.
    """

    def __init__(self, contrast: Contrast, *, weight: float = 1.0, given: int = 0) -> None:
        super().__init__()
        for name, value in (("weight", weight), ("given", given)):
            if value < 0:
                raise ConfigError(f"matching {name}: expected 0 or more, got {value}")
        self.contrast = contrast
        self.weight = weight
        self.given = given

    @property
    def scale(self) -> Tensor:
        """The contrast's factor, () float; negatives are mined with it."""
        return self.contrast.scale

    def forward(self, tower_scores: Tensor, group: Tensor, score_pairs: Callable[[Tensor, Tensor], Tensor]) -> Loss:
        """Give the loss of the towers' scores and of the fused scores of mined pairs; see the class."""
        contrast: Loss = self.contrast(checked_scores(tower_scores, group), group)
        match = self.matching(tower_scores, group, score_pairs)
        parts = {**contrast.parts, "contrast": contrast.total.detach(), **match.parts}
        return Loss(contrast.total + match.total, parts)

    def matching(self, tower_scores: Tensor, group: Tensor, score_pairs: Callable[[Tensor, Tensor], Tensor]) -> Loss:
        """Give the matching term alone, times its weight: for towers that are not trained. Shapes as `forward`."""
        scores = checked_scores(tower_scores, group)
        given = None
        if 0 < self.given < len(scores):
            given = torch.randperm(len(scores), device=scores.device)[: self.given]
        text_index, image_index, label = mine_negatives(self.scale.detach() * scores.detach(), group, given=given)
        if len(label) == 0:
            match = scores.sum() * 0.0
        else:
            logits = score_pairs(text_index, image_index)
            if logits.shape != label.shape:
                raise ShapeError(
                    f"score_pairs: expected one logit per pair, {tuple(label.shape)}, got {tuple(logits.shape)}; "
                    "give `MatchScores.values` of the aligned pairs"
                )
            logits = widened(logits)
            match = F.binary_cross_entropy_with_logits(logits, label.to(logits.dtype))
        return Loss(self.weight * match, {"match": match.detach(), "mined": (label == 0).sum()})


def mine_negatives(logits: Tensor, group: Tensor, *, given: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Draw for each image a hard text and for each text a hard image, never of the same image.

    Formula: P(text j for image i) = softmax_j(logits_ij) over j of other images; for texts the same down the columns.

    Shapes:
        logits:  (N, N) float, row = image, column = text; tower scores times their scale
        group:   (N,) int64
        given:   (G,) int64, the pairs that negatives are mined for, among all N; None = all, G = N
        returns: text_index, image_index (M,) int64 and label (M,) bool, M = 3 G: the given pairs (True), the images
                 with mined texts, the texts with mined images (both False). M = 0 where all rows have one image.
    Raises:
        TrainingError: a logit is not finite.
    """
    if not torch.isfinite(logits).all():
        raise TrainingError(
            "matching: a tower score is not finite, so no negatives can be mined; lower train.lr or use precision fp32"
        )
    negative = negative_pairs(group)
    pair = torch.arange(len(group), device=logits.device) if given is None else given
    if not negative.any():  # with two images or more, every row and every column has a negative
        return pair[:0], pair[:0], pair[:0].bool()
    hard = logits.masked_fill(~negative, float("-inf"))
    text = torch.multinomial(hard[pair].softmax(1), 1).squeeze(1)
    image = torch.multinomial(hard.T[pair].softmax(1), 1).squeeze(1)
    label = torch.arange(3 * len(pair), device=logits.device) < len(pair)
    return torch.cat([pair, text, pair]), torch.cat([pair, pair, image]), label
