"""What a run shows of its captions: a fixed sample, its best and worst, and what was attended to for each word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from plait.core.evaluation import Evaluation
from plait.data.geometry import geometry_of
from plait.data.images import load_rgb
from plait.explain.attention import WordMaps
from plait.explain.overlay import grid_box
from plait.tasks.caption.evaluate import CaptionAnswers
from plait.tasks.caption.learner import CaptionLearner, eval_mode
from plait.tasks.caption.writing import Writer

if TYPE_CHECKING:
    from plait.train.feed import Feed

__all__ = ["merge_captions", "show_captions"]

SHOWN = 9
ATTENDED = 6
EXTREMES = 3


def show_captions(learner: CaptionLearner, feed: Feed, evaluation: Evaluation, *, fusion: str) -> dict[str, Any]:
    """Collect a run's gallery: image ids, texts and figures; the report adds the images.

    The sample depends on the split alone, so that every run of a comparison is shown on the same images, and no image
    was picked by its caption; "extremes" are this run's best and worst by CIDEr-D.
    """
    show = _Show(learner, feed, evaluation, evaluation.answers)
    sample = [int(row) for row in np.random.default_rng(0).permutation(len(evaluation.images))[:SHOWN]]
    order = np.argsort(show.answers.cider, kind="stable")
    picked = {"best": order[::-1][:EXTREMES], "worst": order[:EXTREMES]}
    with eval_mode(learner.model):
        attended = [show.attention(row, fusion) for row in sample[:ATTENDED]]
    return {
        "captions": [show.caption(row) for row in sample],
        "extremes": [
            {**show.caption(int(row)), "rank": rank, "fusion": fusion} for rank, rows in picked.items() for row in rows
        ],
        "attention": [one for one in attended if one is not None],
    }


def merge_captions(shown: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Join the galleries of a comparison, label -> gallery, in the order given.

    Returns: what gallery.json holds: "captions": [{photo, references, "results": {label: {text, cider_d, log_prob}}}],
    "extremes" and "attention" of every label, and "photos": the ids of the images that these show.
    """
    captions: list[dict[str, Any]] = []
    for label, gallery in shown.items():
        for place, item in enumerate(gallery["captions"]):
            if place == len(captions):
                captions.append({"photo": item["photo"], "references": item["references"], "results": {}})
            captions[place]["results"][label] = {key: item[key] for key in ("text", "cider_d", "log_prob")}
    extremes, attention = (
        [{**item, "fusion": label} for label, gallery in shown.items() for item in gallery[part]]
        for part in ("extremes", "attention")
    )
    names = [item["photo"] for item in (*captions, *extremes, *attention)]
    return {
        "captions": captions,
        "extremes": extremes,
        "attention": attention,
        "photos": list(dict.fromkeys(names)),
    }


@dataclass(frozen=True)
class _Show:
    """Shows images of an evaluation, each by its place in `evaluation.images`."""

    learner: CaptionLearner
    feed: Feed
    evaluation: Evaluation
    answers: CaptionAnswers

    def caption(self, row: int) -> dict[str, Any]:
        image, written = self.evaluation.images[row], self.answers.written[row]
        return {
            "photo": self.feed.collection.photos[image].id,
            "references": [c.text for c in self.feed.collection.captions if c.image == image],
            "text": written.text,
            "cider_d": round(float(self.answers.cider[row]), 1),
            "log_prob": round(written.log_prob, 2),
        }

    def attention(self, row: int, fusion: str) -> dict[str, Any] | None:
        """Give maps from the words of a caption to cells; None for a decoder that does not attend."""
        image, written = self.evaluation.images[row], self.answers.written[row]
        tokens = self.feed.encode_images([image])
        weights = Writer(self.learner).weights(tokens, [written])[0]
        if weights is None or tokens.grid is None or not written.words:
            return None
        photo = self.feed.collection.photos[image]
        found = WordMaps(written.words, tokens.grid, weights, "attention while the word was written")
        height, width = load_rgb(photo.source).shape[:2]
        box = grid_box(geometry_of(height, width, self.learner.model.image.image_spec))
        return {**found.to_json(fusion=fusion, photo=photo.id, caption=written.text), "box": list(box)}
