"""Evaluation of masks on a split, at the photos' own size: figures, what is left without text or photo, baselines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from plait.audit.ablation import emptied
from plait.core.errors import ConfigError, InputError
from plait.core.types import ImageSpec, Tokens
from plait.data.collection import Collection
from plait.data.geometry import geometry_of
from plait.data.masks.load import frame_to_photo
from plait.metrics.mask import boundary_f, mask_contributions
from plait.metrics.mask_counts import THRESHOLDS, best_threshold, calibration, count, overlap_at
from plait.metrics.statistics import bootstrap_interval, paired_difference
from plait.model import FusionModel
from plait.nn.precision import Precision, autocast_context
from plait.train.feed import Feed
from plait.tasks.mask.targets import MaskTargets

__all__ = ["BASELINES", "CONSTANT", "SPOILED", "MaskEvaluation", "check_masks", "evaluate_masks", "mask_probabilities"]

SPOILED = ("text shuffled", "text removed", "image removed")
BASELINES = ("all foreground", "all background", "mean mask")
# The metrics of masks that read neither text nor photo: who stays below learned nothing.
CONSTANT = tuple(f"miou_{name.replace(' ', '_')}" for name in BASELINES)
CAPTIONS_AT_ONCE = 32
# The threshold and the mean mask are chosen on at most so many captions: more would not move them.
CHOSEN_ON = 300
PRIOR_CELLS = (16, 16)
TRIES = 64


@dataclass(frozen=True)
class MaskEvaluation:
    """What a model's masks scored on a split.

    Fields:
        split:    its name
        photos:   photo indices into the collection
        captions: caption indices
        iou:      (C,) each caption's IoU at the threshold, in [0, 1]
        by_photo: metric -> (I,) what each photo adds to it, for resampling photos. See
                  `MaskContributions`
        counts:   "mask" -> (I,) captions of each photo: its weight
        metrics:  flat figures in percent: miou, oiou, p50, p70, p90, dice, boundary_f, and miou under each name of
                  `SPOILED` and of the baselines, such as miou_text_shuffled
        details:  the threshold, where it was chosen, the mean mask, the fall without the right text, threshold and
                  calibration curves, how many masks are empty
        flags:    ("ignores the text",) where the score does not fall when texts are swapped
        eval_s:   seconds from tokens to metrics
        ranks, rank_photo: empty; masks rank nothing
    """

    split: str
    photos: tuple[int, ...]
    captions: tuple[int, ...]
    iou: np.ndarray
    by_photo: dict[str, np.ndarray]
    counts: dict[str, np.ndarray]
    metrics: dict[str, float]
    details: dict[str, Any]
    flags: tuple[str, ...]
    eval_s: float
    ranks: dict[str, np.ndarray]
    rank_photo: dict[str, np.ndarray]
    score_kind: str = "probability"

    def intervals(self) -> dict[str, dict[str, float]]:
        """Give 95 % bootstrap intervals over photos for every metric."""
        found = {}
        for name, values in self.by_photo.items():
            interval = bootstrap_interval(values, weights=self.counts["mask"], bounds=(0.0, 100.0))
            found[name] = {"mean": interval.mean, "low": interval.low, "high": interval.high}
        return found


def check_masks(collection: Collection) -> None:
    """Refuse data without masks.

    Raises:
        InputError: a caption has none; the message names it.
    """
    without = next((caption for caption in collection.captions if caption.mask is None), None)
    if without is not None or not collection.captions:
        one = f": caption {without.id!r} has none" if without is not None else ""
        raise InputError(
            f"data {collection.name!r}: task 'mask' needs a mask for every caption{one}; give rows of image, text and "
            "mask, or try the generated set: --data scenes-masks"
        )


def evaluate_masks(
    model: FusionModel,
    feed: Feed,
    *,
    split: str,
    precision: Precision,
    limit: int | None = None,
    known: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> MaskEvaluation:
    """Predict the mask of every caption of a split and measure it against the truth at the photo's own size.

    A pixel is foreground where its probability reaches the threshold. That is chosen for the best mIoU on the val
    split, or, where val itself is measured, on training captions; the result says on which. Pixels that a
    crop cut off are background.

    Arguments:
        limit: only the split's first photos, and mIoU alone, at the threshold that suits these photos best: for the
               curves, which select nothing. At a fixed 0.5 the curve of a model still unsure of itself would be 0
        known: `details` of an earlier evaluation: its threshold and mean mask are used, none is chosen
    Raises:
        InputError: the split holds no caption, or a mask cannot be read.
        ConfigError: nothing is left to choose a threshold on.
    """
    began = time.perf_counter()
    photos = np.array(feed.collection.splits[split][:limit], dtype=np.int64)
    captions = np.flatnonzero(np.isin(feed.photo_of, photos))
    if not len(captions):
        raise InputError(
            f"data {feed.collection.name!r}: split {split!r} holds no caption; there is nothing to measure"
        )
    photos = photos[np.isin(photos, feed.photo_of[captions])]
    was_training = model.training
    model.eval()
    judge = _Judge(model, feed, precision)
    if limit is not None:
        counts, _ = judge.counts(captions, kinds=("whole",), threshold=None, progress=None)
        chosen: dict[str, Any] = {"threshold": best_threshold(counts["whole"]), "threshold_on": "what is measured"}
        borders = np.empty(0)
    else:
        chosen = _chosen(judge, feed, split) if known is None else {k: known[k] for k in _CHOSEN}
        prior = np.array(chosen["mean_mask"], dtype=np.float32)
        counts, borders = judge.counts(
            captions, kinds=("whole", *SPOILED), threshold=chosen["threshold"], prior=prior, progress=progress
        )
    model.train(was_training)
    return _measured(
        split,
        photos,
        captions,
        owner=np.searchsorted(np.sort(photos), feed.photo_of[captions]),
        counts=counts,
        borders=borders,
        chosen=chosen,
        seconds=time.perf_counter() - began,
    )


_CHOSEN = ("threshold", "threshold_on", "mean_mask", "mean_mask_threshold", "mean_mask_of")


def mask_probabilities(
    model: FusionModel, text: Tokens, image: Tokens, *, photo_row: Tensor | None = None
) -> np.ndarray:
    """Give the probability of each cell of the input frame: text Tokens (M, T, D), image (U, P, D) -> (M, h, w)."""
    with torch.no_grad():
        logits, _ = model.masks(text, image, photo_row=photo_row)
        found: np.ndarray = logits.values.float().sigmoid().numpy()
    return found


class _Judge:
    """Counts a model's masks against the truth, caption by caption, with either side spoiled."""

    def __init__(self, model: FusionModel, feed: Feed, precision: Precision) -> None:
        assert isinstance(model.image.input, ImageSpec)
        self.model, self.feed, self.precision = model, feed, precision
        self.spec = model.image.input

    @cached_property
    def partner(self) -> np.ndarray:
        """For each caption another one, whose text its photo is given under "text shuffled"."""
        return _partners(self.feed)

    def counts(
        self,
        captions: np.ndarray,
        *,
        kinds: tuple[str, ...],
        threshold: float | None,
        prior: np.ndarray | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Give kind -> (C, 2, BINS) counts, and with a threshold each caption's boundary F, (C,).

        With `prior` (h, w) also those of "mean mask", "all foreground" and "all background".
        """
        found: dict[str, np.ndarray] = {}
        borders = np.zeros(len(captions))
        done = 0
        for places, probabilities in self._chunks(captions, kinds):
            for number, place in enumerate(places):
                truth = self.feed.masks.truth(int(captions[place]))
                geometry = geometry_of(truth.shape[0], truth.shape[1], self.spec)
                maps = {kind: frame_to_photo(values[number], geometry) for kind, values in probabilities.items()}
                if threshold is not None:
                    borders[place] = boundary_f(maps["whole"] >= threshold, truth)
                if prior is not None:
                    maps["mean mask"] = frame_to_photo(prior, geometry)
                    maps["all foreground"] = np.ones(truth.shape, dtype=np.float32)
                    maps["all background"] = np.zeros(truth.shape, dtype=np.float32)
                for kind, values in maps.items():
                    counted = count(values, truth)
                    found.setdefault(kind, np.zeros((len(captions), *counted.shape), dtype=np.int64))[place] = counted
            done += len(places)
            if progress is not None:
                progress(done, len(captions))
        return found, borders

    @torch.no_grad()
    def _chunks(
        self, captions: np.ndarray, kinds: tuple[str, ...]
    ) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
        """Give places in `captions`, photo by photo, and what the model says of them under each kind."""
        order = np.argsort(self.feed.photo_of[captions], kind="stable")
        for start in range(0, len(order), CAPTIONS_AT_ONCE):
            places = order[start : start + CAPTIONS_AT_ONCE]
            rows = captions[places]
            photos, photo_row = np.unique(self.feed.photo_of[rows], return_inverse=True)
            with autocast_context(self.precision):
                text, image = self.feed.encode_texts(rows), self.feed.encode_photos(photos)
                row = torch.from_numpy(photo_row)
                said = {}
                for kind in kinds:
                    words = self.feed.encode_texts(self.partner[rows]) if kind == "text shuffled" else text
                    words = emptied(text) if kind == "text removed" else words
                    seen = emptied(image) if kind == "image removed" else image
                    said[kind] = mask_probabilities(self.model, words, seen, photo_row=row)
            yield places, said


def _partners(feed: Feed) -> np.ndarray:
    """Give each caption another caption of its split, of another photo and other words: (all captions,) int64.

    One that finds none keeps its own, as in a set whose captions all read alike.
    """
    partner = np.arange(len(feed.photo_of))
    for members in feed.collection.splits.values():
        ring = np.random.default_rng(0).permutation(np.flatnonzero(np.isin(feed.photo_of, members)))
        for place, row in enumerate(ring):
            for step in range(1, min(len(ring), TRIES)):
                other = ring[(place + step) % len(ring)]
                if feed.photo_of[other] != feed.photo_of[row] and feed.texts[other] != feed.texts[row]:
                    partner[row] = other
                    break
    return partner


def _chosen(judge: _Judge, feed: Feed, split: str) -> dict[str, Any]:
    """Choose the threshold and learn the mean mask, on captions that are not measured."""
    parts = [name for name in ("val", "train") if name != split and feed.collection.splits.get(name)]
    if not parts:
        raise ConfigError(
            f"data {feed.collection.name!r} has no split but {split!r} to choose a threshold on; expected train or val"
        )
    captions = _sample(feed, parts[0])
    counts, _ = judge.counts(captions, kinds=("whole",), threshold=None)
    learned = "train" if feed.collection.splits.get("train") else parts[0]
    of = _sample(feed, learned)
    targets = MaskTargets(feed.collection, judge.spec, cells=PRIOR_CELLS).take(of)
    inside = targets.valid.float()
    mean = (targets.values * inside).sum(0) / inside.sum(0).clamp(min=1)
    prior = np.round(mean.numpy().astype(np.float64), 3)
    prior_counts = []
    for row in captions:
        truth = feed.masks.truth(int(row))
        prior_counts.append(
            count(
                frame_to_photo(prior.astype(np.float32), geometry_of(truth.shape[0], truth.shape[1], judge.spec)), truth
            )
        )
    return {
        "threshold": best_threshold(counts["whole"]),
        "threshold_on": f"{len(captions)} captions of {parts[0]}",
        "mean_mask": prior.tolist(),
        "mean_mask_threshold": best_threshold(np.stack(prior_counts)),
        "mean_mask_of": f"{len(of)} captions of {learned}",
    }


def _sample(feed: Feed, split: str) -> np.ndarray:
    captions = np.flatnonzero(np.isin(feed.photo_of, feed.collection.splits[split]))
    return np.sort(np.random.default_rng(0).permutation(captions)[:CHOSEN_ON])


def _measured(
    split: str,
    photos: np.ndarray,
    captions: np.ndarray,
    *,
    owner: np.ndarray,
    counts: dict[str, np.ndarray],
    borders: np.ndarray,
    chosen: dict[str, Any],
    seconds: float,
) -> MaskEvaluation:
    photos = np.sort(photos)
    asked = np.bincount(owner, minlength=len(photos))

    def averaged(values: np.ndarray) -> np.ndarray:
        return 100.0 * np.bincount(owner, weights=values, minlength=len(photos)) / asked

    threshold = float(chosen["threshold"])
    found = overlap_at(counts["whole"], threshold)
    iou = found.iou()
    by_photo = mask_contributions(found, owner, boundary=borders if len(borders) else None).values
    details: dict[str, Any] = dict(chosen)
    flags: tuple[str, ...] = ()
    if len(borders):
        for kind in (*SPOILED, *BASELINES):
            at = float(chosen["mean_mask_threshold"]) if kind == "mean mask" else threshold
            by_photo[f"miou_{kind.replace(' ', '_')}"] = averaged(overlap_at(counts[kind], at).iou())
        fall = paired_difference(by_photo["miou"], by_photo["miou_text_shuffled"], weights=asked, resamples=4000)
        details["fall_without_text"] = {"difference": fall.difference, "low": fall.low, "high": fall.high}
        flags = ("ignores the text",) if fall.low <= 0 else ()
        details["by_threshold"] = [
            {"threshold": t, "miou": 100 * float(overlap_at(counts["whole"], t).iou().mean())} for t in THRESHOLDS
        ]
        details["calibration"] = calibration(counts["whole"])
        details["empty_masks"] = int((found.true == 0).sum())
    metrics = {name: float(values @ asked / asked.sum()) for name, values in by_photo.items()}
    return MaskEvaluation(
        split=split,
        photos=tuple(int(i) for i in photos),
        captions=tuple(int(i) for i in captions),
        iou=iou,
        by_photo=by_photo,
        counts={"mask": asked},
        metrics=metrics,
        details=details,
        flags=flags,
        eval_s=seconds,
        ranks={},
        rank_photo={},
    )
