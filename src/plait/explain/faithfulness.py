"""Does a map say what the answer depends on? Deletion, insertion, evenness, randomised weights, the pointing game."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from plait.core.errors import InputError, ShapeError
from plait.explain.blank import keep_cells
from plait.explain.methods.relevance import Relevance
from plait.explain.subject import Subject

__all__ = ["Faithfulness", "evenness", "faithfulness", "pointing", "rank_correlation"]

# Points of a curve, and orders drawn at random that it is compared with.
STEPS = 16
RANDOM_ORDERS = 24
# A map whose effective number of cells is above this share of all is nearly even.
NEARLY_EVEN = 0.8


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """How faithful one map is.

    Fields:
        deletion, insertion: (STEPS + 1,) the answer while the most relevant cells are blanked, or shown, first
        random_deletion, random_insertion: (RANDOM_ORDERS, STEPS + 1) the same in random orders
        evenness:  share of the cells over which the map's positive part is spread, in (0, 1]; see `evenness`
        unlearned: rank correlation of the map with that of the same model with shuffled weights, or None where that
                   model gives no map
    """

    deletion: np.ndarray
    insertion: np.ndarray
    random_deletion: np.ndarray
    random_insertion: np.ndarray
    evenness: float
    unlearned: float | None

    @property
    def deletion_gain(self) -> float:
        """Give by how much the area under the deletion curve is below that of random orders; above 0 = faithful."""
        return float(self.random_deletion.mean() - self.deletion.mean())

    @property
    def insertion_gain(self) -> float:
        """Give by how much the area under the insertion curve is above that of random orders; above 0 = faithful."""
        return float(self.insertion.mean() - self.random_insertion.mean())

    @property
    def deletion_rank(self) -> float:
        """Give the share of random orders whose deletion curve is as low: small = better than chance."""
        return _share(self.random_deletion.mean(axis=1) <= self.deletion.mean())

    @property
    def insertion_rank(self) -> float:
        """Give the share of random orders whose insertion curve is as high: small = better than chance."""
        return _share(self.random_insertion.mean(axis=1) >= self.insertion.mean())

    def sentences(self) -> list[str]:
        """Say in words what can be concluded, for readers who see the picture."""
        found = []
        if self.evenness > NEARLY_EVEN:
            found.append(f"The map is nearly even: it is spread over {100 * self.evenness:.0f} % of the cells.")
        for what, rank, gain in (
            ("Blanking", self.deletion_rank, self.deletion_gain),
            ("Showing", self.insertion_rank, self.insertion_gain),
        ):
            verb = "lowers" if what == "Blanking" else "raises"
            if gain > 0 and rank <= 0.05:
                found.append(f"{what} the most relevant cells first {verb} the answer faster than random orders do.")
            else:
                found.append(
                    f"{what} the most relevant cells first {verb} the answer no faster than random orders do "
                    f"({100 * rank:.0f} % of them are as good): the map does not show what the answer depends on."
                )
        if self.unlearned is not None and self.unlearned > 0.5:
            found.append(
                f"A model with shuffled weights gives much the same map (rank correlation {self.unlearned:.2f}): the "
                "map shows the image more than what was learned."
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """Give plain data: curves, gains, ranks and sentences."""
        return {
            "deletion": self.deletion.tolist(),
            "insertion": self.insertion.tolist(),
            "random_deletion": self.random_deletion.mean(axis=0).tolist(),
            "random_insertion": self.random_insertion.mean(axis=0).tolist(),
            "deletion_gain": self.deletion_gain,
            "insertion_gain": self.insertion_gain,
            "deletion_rank": self.deletion_rank,
            "insertion_rank": self.insertion_rank,
            "evenness": self.evenness,
            "unlearned": self.unlearned,
            "sentences": self.sentences(),
        }


def faithfulness(
    subject: Subject, found: Relevance, *, method: Callable[[Subject], Relevance] | None = None, seed: int = 0
) -> Faithfulness:
    """Measure a map of the whole text by deletion and insertion against random orders.

    Formula: k cells of P are blanked (deletion) or shown on a blank image (insertion), k from 0 to P in 16 steps, the
    most relevant first; an area is the mean over the steps of the answer. Blank is the mean cell.

    Arguments:
        method: computes the map again under shuffled weights; None = that test is left out
        seed:   of random orders and shuffled weights
    Source: Petsiuk et al. 2018 (RISE), section 4.2; Adebayo et al. 2018 for the shuffled weights. Differs: cells of the
    encoder's grid in place of pixels.
    """
    cells = len(found.image)
    if cells != subject.image.values.shape[1]:
        raise ShapeError(f"expected the relevance of {subject.image.values.shape[1]} cells, got {cells}")
    random = np.random.default_rng(seed)
    orders = [np.argsort(-found.image, kind="stable"), *(random.permutation(cells) for _ in range(RANDOM_ORDERS))]
    counts = np.linspace(0, cells, STEPS + 1).round().astype(np.int64)
    keep = np.zeros((len(orders), 2, len(counts), cells), dtype=bool)
    for row, order in enumerate(orders):
        for place, count in enumerate(counts):
            keep[row, 0, place, order[count:]] = True
            keep[row, 1, place, order[:count]] = True
    images = keep_cells(subject.image, torch.from_numpy(keep.reshape(-1, cells)))
    values = (
        subject.values(replace(subject.text, pooled=None), images)
        .double()
        .cpu()
        .numpy()
        .reshape(len(orders), 2, len(counts))
    )
    unlearned = None
    if method is not None:
        other = method(subject.with_shuffled_weights(seed))
        unlearned = rank_correlation(found.image, other.image)
    return Faithfulness(
        deletion=values[0, 0],
        insertion=values[0, 1],
        random_deletion=values[1:, 0],
        random_insertion=values[1:, 1],
        evenness=evenness(found.image),
        unlearned=unlearned,
    )


def evenness(relevance: np.ndarray) -> float:
    """Give over which share of the cells a map is spread: exp(entropy of its positive part) / P.

    1 = even, 1 / P = one cell. A map without any positive value is even.

    Shapes: relevance (P,) float.
    Example:
        >>> evenness(np.array([1.0, 1.0, 0.0, 0.0]))
        0.5
    """
    positive = np.clip(relevance, 0, None)
    if not positive.sum() > 0:
        return 1.0
    share = positive[positive > 0] / positive.sum()
    return float(np.exp(-(share * np.log(share)).sum()) / len(relevance))


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Give Spearman's correlation of two maps (P,); equal values share their mean rank; 0 where one map is constant."""
    ranks = [_ranks(values) - (len(values) - 1) / 2 for values in (a, b)]
    length = float(np.linalg.norm(ranks[0]) * np.linalg.norm(ranks[1]))
    return float(ranks[0] @ ranks[1]) / length if length > 0 else 0.0


def pointing(relevance: np.ndarray, mask: np.ndarray) -> tuple[bool, float]:
    """Play the pointing game: does the most relevant cell lie on the region?

    A cell lies on it where the region covers at least half of what it covers of its most covered cell: small regions
    fill no cell.

    Shapes: relevance (h * w,) float; mask (h, w) float in [0, 1], the share of each cell that the region covers.
    Returns: whether it hits, and the share of all cells that would hit: what chance gives.
    Raises:
        InputError: the region covers nothing.
    Source: Zhang et al. 2018, section 4.2. Differs: cells in place of pixels with a margin.
    """
    covered = np.asarray(mask, dtype=np.float64).ravel()
    if covered.shape != relevance.shape:
        raise ShapeError(f"pointing game: expected a mask of {relevance.shape[0]} cells, got {mask.shape}")
    if not covered.max() > 0:
        raise InputError("pointing game: the region covers no cell")
    hits = covered >= covered.max() / 2
    return bool(hits[int(relevance.argmax())]), float(hits.mean())


def _ranks(values: np.ndarray) -> np.ndarray:
    """Give the rank of each value, from 0; equal values share their mean rank."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    ranks: np.ndarray = (ends - (count + 1) / 2)[place]
    return ranks


def _share(as_good: np.ndarray) -> float:
    """Give the share of random orders that are as good, the order itself counted with them."""
    return float((1 + as_good.sum()) / (1 + len(as_good)))
