"""Choose the threshold of a run, and learn its mean mask, on captions that are not measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from plait.core.errors import ConfigError
from plait.metrics.mask_counts import best_threshold
from plait.tasks.mask.absent.figures import choose_presence
from plait.tasks.mask.absent.pairs import count_absent, draw_absent
from plait.tasks.mask.counting import AS_TRAINED, MaskReader, count_constant, count_masks
from plait.tasks.mask.targets import MaskTargets, true_mask

if TYPE_CHECKING:
    from plait.train.feed import Feed

__all__ = ["Choice", "choose"]

# More captions would hardly move the threshold or the mean mask.
CAPTIONS_CHOSEN_ON = 300
MEAN_MASK_CELLS = (16, 16)


@dataclass(frozen=True)
class Choice:
    """What a run's masks are measured with. The record of the run holds these fields under the same names.

    Fields:
        threshold:           a pixel is foreground from this probability on
        threshold_on:        what it was chosen on, in words
        mean_mask:           rows of the mean true mask over the input frame, in [0, 1]
        mean_mask_threshold: the best threshold of the mean mask
        mean_mask_of:        whose mean it is, in words
        presence_threshold:  a phrase counts as present from this probability on; None = presence is not known: the
                             model has no presence head, or one that does not tell present from absent phrases
        presence_on:         what that was chosen on, or found not to be told, in words; "" without a presence head
    """

    threshold: float
    threshold_on: str
    mean_mask: list[list[float]]
    mean_mask_threshold: float
    mean_mask_of: str
    presence_threshold: float | None = None
    presence_on: str = ""

    @classmethod
    def known(cls, details: Mapping[str, Any]) -> Choice:
        """Give the choice that the details of an earlier evaluation hold; earlier versions know no presence."""
        return cls(**{name: details[name] for name in cls.__dataclass_fields__ if name in details})

    def to_json(self) -> dict[str, Any]:
        """Give it as plain data."""
        return asdict(self)


def choose(reader: MaskReader, split: str) -> Choice:
    """Choose on the val split, or, where val itself is measured, on training captions.

    Arguments:
        split: the one that will be measured
    Raises:
        ConfigError: no other split is left to choose on.
    """
    collection = reader.feed.collection
    parts = [name for name in ("val", "train") if name != split and collection.splits.get(name)]
    if not parts:
        raise ConfigError(
            f"data {collection.name!r} has no split but {split!r} to choose a threshold on; expected train or val"
        )
    captions = _sample(reader.feed, parts[0])
    counted = count_masks(reader, captions)
    counts = counted.by_kind[AS_TRAINED]
    presence_threshold, presence_on = None, ""
    if reader.learner.presence is not None:
        pairs = draw_absent(reader.feed, captions)
        absent = count_absent(reader, captions, pairs)
        presence_threshold = choose_presence(counted, absent, reader.feed.image_of[captions])
        presence_on = f"{len(pairs)} phrases of {parts[0]}, each in its own image and in one that lacks it"
    learned_on = "train" if collection.splits.get("train") else parts[0]
    learned_from = _sample(reader.feed, learned_on)
    mean_mask = _mean_mask(reader, learned_from)
    mean_counts = []
    for row in captions:
        truth = true_mask(collection, int(row))
        mean_counts.append(count_constant(mean_mask.astype(np.float32), truth, reader.geometry(truth))["mean mask"])
    return Choice(
        threshold=best_threshold(counts),
        threshold_on=f"{len(captions)} captions of {parts[0]}",
        mean_mask=mean_mask.tolist(),
        mean_mask_threshold=best_threshold(np.stack(mean_counts)),
        mean_mask_of=f"{len(learned_from)} captions of {learned_on}",
        presence_threshold=presence_threshold,
        presence_on=presence_on,
    )


def _mean_mask(reader: MaskReader, captions: np.ndarray) -> np.ndarray:
    """Give the mean of captions' true masks over the input frame, (16, 16) float64 with three decimals."""
    targets = MaskTargets(reader.feed.collection, reader.spec, cells=MEAN_MASK_CELLS)
    found = targets.take(captions, np.zeros(len(captions), dtype=np.int64))
    inside = found.valid.float()
    mean = (found.values * inside).sum(0) / inside.sum(0).clamp(min=1)
    rounded: np.ndarray = np.round(mean.cpu().numpy().astype(np.float64), 3)
    return rounded


def _sample(feed: Feed, split: str) -> np.ndarray:
    captions = np.flatnonzero(np.isin(feed.image_of, feed.collection.splits[split]))
    return np.sort(np.random.default_rng(0).permutation(captions)[:CAPTIONS_CHOSEN_ON])
