"""How well scores tell two groups apart: area under the ROC curve, by image, and the best dividing threshold."""

from __future__ import annotations

import numpy as np

from plait.core.errors import InputError, ShapeError

__all__ = ["auroc", "auroc_contributions", "balanced_threshold"]


def auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Give the chance that a positive item scores above a negative one, in percent.

    Formula: 100 * mean over pairs of [p > n] + [p = n] / 2. Equal scores count one half: a constant scores 50.

    Shapes: positive (P,) float, negative (N,) float, any scale; adding a constant to all changes nothing.
    Undefined when: one of the groups is empty, which is an error.
    Raises:
        InputError: a group is empty, or a score is not a number.
    Source: Mann and Whitney 1947; Fawcett 2006. Differs: none.
    Example:
        >>> auroc(np.array([0.9, 0.5]), np.array([0.5, 0.1]))
        87.5
    """
    return float(100.0 * _shares(positive, negative)[0].mean())


def auroc_contributions(
    positive: np.ndarray, negative: np.ndarray, *, owners: tuple[np.ndarray, np.ndarray], images: int
) -> np.ndarray:
    """Split the area into what each image adds, because answers about one image are not independent.

    Formula: with v_p the share of negatives below p and v_n the share of positives above n, image i adds
        area + I * (sum over its p of (v_p - area) / P + sum over its n of (v_n - area) / N):
    the area's linear part. The mean over images is the area exactly, and resampling images gives its spread to first
    order.

    Shapes:
        positive, negative: (P,) and (N,) float
        owners:             (P,) and (N,) int, the image that each belongs to, in [0, images)
        returns:            (images,) float64, percent; values may lie outside 0 to 100
    Raises:
        InputError: as `auroc`.
        ShapeError: owners do not fit.
    Source: DeLong et al. 1988, whose components these are. Differs: summed by image, which holds several answers.
    """
    for name, scores, owner in (("positive", positive, owners[0]), ("negative", negative, owners[1])):
        if owner.shape != scores.shape:
            raise ShapeError(f"owners of {name} scores: expected {scores.shape}, got {owner.shape}")
    above, below = _shares(positive, negative)
    area = above.mean()
    pull = np.bincount(owners[0], weights=above - area, minlength=images) / len(positive)
    pull += np.bincount(owners[1], weights=below - area, minlength=images) / len(negative)
    found: np.ndarray = 100.0 * (area + images * pull)
    return found


def balanced_threshold(positive: np.ndarray, negative: np.ndarray) -> float:
    """Give the threshold t for which "score >= t" is right most often, both groups counting the same.

    Candidates lie half-way between neighbouring scores; of several that are equally good, the one nearest 0.5 is given.

    Shapes: positive (P,) float in [0, 1], negative (N,) likewise.
    Raises:
        InputError: as `auroc`.
    Source: Youden 1950, whose index this maximises. Differs: none.
    """
    _shares(positive, negative)
    scores = np.unique(np.concatenate([positive, negative]))
    candidates = np.concatenate([[0.5 * scores[0]], (scores[:-1] + scores[1:]) / 2, [0.5 * (scores[-1] + 1.0)], [0.5]])
    right = (np.asarray(positive) >= candidates[:, None]).mean(1) + (np.asarray(negative) < candidates[:, None]).mean(1)
    best = candidates[right >= right.max() - 1e-12]
    return float(best[np.abs(best - 0.5).argmin()])


def _shares(positive: np.ndarray, negative: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the share of negatives below each positive, (P,), and of positives above each negative, (N,)."""
    if not len(positive) or not len(negative):
        raise InputError(
            f"area under the ROC curve: expected scores of both groups, got {len(positive)} and {len(negative)}; with "
            "one group it is not defined"
        )
    if not (np.isfinite(positive).all() and np.isfinite(negative).all()):
        raise InputError("area under the ROC curve: a score is not a number")
    low, high = np.sort(negative), np.sort(positive)
    above = (np.searchsorted(low, positive, "left") + np.searchsorted(low, positive, "right")) / (2 * len(low))
    below = 1 - (np.searchsorted(high, negative, "left") + np.searchsorted(high, negative, "right")) / (2 * len(high))
    return above, below
