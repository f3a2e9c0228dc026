"""What a run shows of its classes: a fixed sample of images, and its surest mistakes."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from plait.core.evaluation import Evaluation
from plait.data.images import load_rgb, thumbnail_jpeg
from plait.tasks.classify.evaluate import ClassAnswers

if TYPE_CHECKING:
    from plait.train.feed import Feed

__all__ = ["merge_classes", "show_classes"]

SHOWN = 8
MISTAKES = 8
TOP = 3
SIDE_PX = 128


def show_classes(feed: Feed, evaluation: Evaluation, classes: Sequence[str]) -> dict[str, Any]:
    """Collect images with their true class and the most probable ones.

    "sample" depends on the split alone, so that every fusion of a comparison is shown on the same images; "mistakes"
    are this run's surest wrong answers.
    """
    answers: ClassAnswers = evaluation.answers
    sample = np.random.default_rng(0).permutation(len(answers.truth))[:SHOWN]
    wrong = np.flatnonzero(answers.probabilities.argmax(axis=1) != answers.truth)
    surest = wrong[np.argsort(-answers.probabilities[wrong].max(axis=1), kind="stable")][:MISTAKES]

    def item(place: int) -> dict[str, Any]:
        photo = feed.collection.photos[evaluation.images[place]]
        row = answers.probabilities[place]
        order = np.argsort(-row, kind="stable")[:TOP]
        truth = feed.collection.captions[evaluation.captions[place]].answers[0]
        rgb = load_rgb(photo.source)
        return {
            "photo": photo.id,
            "truth": truth,
            "said": [{"label": classes[int(k)], "probability": round(float(row[k]), 4)} for k in order],
            "picture": f"data:image/jpeg;base64,{base64.b64encode(thumbnail_jpeg(rgb, SIDE_PX)).decode()}",
        }

    return {"sample": [item(int(i)) for i in sample], "mistakes": [item(int(i)) for i in surest]}


def merge_classes(shown: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Join the galleries of a comparison, label -> gallery, in the order given.

    Returns: what gallery.json holds: "classified": [{photo, truth, picture, "results": {label: said}}], "mistakes":
    [{photo, truth, said, picture, fusion}], and "photos": none, because each item holds its own picture.
    """
    classified: list[dict[str, Any]] = []
    for label, gallery in shown.items():
        for place, item in enumerate(gallery["sample"]):
            if place == len(classified):
                classified.append({**{key: item[key] for key in ("photo", "truth", "picture")}, "results": {}})
            classified[place]["results"][label] = item["said"]
    mistakes = [{**item, "fusion": label} for label, gallery in shown.items() for item in gallery["mistakes"]]
    return {"classified": classified, "mistakes": mistakes, "photos": []}
