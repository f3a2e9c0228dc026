"""What a run shows of itself: its best answers for a fixed sample of images and captions, and attention maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from plait.core.evaluation import Evaluation
from plait.data.geometry import geometry_of
from plait.data.images import load_rgb
from plait.explain.attention import word_maps
from plait.explain.overlay import grid_box
from plait.tasks.match.evaluate import Answers
from plait.tasks.match.learner import MatchLearner
from plait.train.feed import Feed

__all__ = ["merge_galleries", "show_run"]

SHOWN = 12
ATTENDED = 6
BEST = 3


def show_run(learner: MatchLearner, feed: Feed, evaluation: Evaluation, *, fusion: str) -> dict[str, Any]:
    """Collect a run's gallery: image ids, texts and figures only; the report adds the images.

    The sample depends on the split alone, so that every fusion of a comparison is shown on the same images, and none is
    chosen by how good its answers are.
    """
    shown = _Shown(feed, evaluation)
    rows = np.random.default_rng(0).permutation(len(evaluation.images))[:SHOWN]
    columns = [int(np.flatnonzero(shown.answers.caption_row == row)[0]) for row in rows]
    return {
        "by_photo": [shown.by_image(int(row)) for row in rows],
        "by_caption": [shown.by_caption(column) for column in columns],
        "attention": _attention(learner, feed, shown, columns[:ATTENDED], fusion=fusion),
    }


def merge_galleries(shown: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Join the galleries of a comparison's fusions, all of the same images and captions.

    Arguments:
        shown: label -> gallery, the best fusion first
    Returns: "by_photo" and "by_caption", each item with its "results" by label; "attention", each map with its label as
        "fusion"; and "photos", the ids of all images that these show.
    """
    merged: dict[str, Any] = {"photos": [], "by_photo": [], "by_caption": [], "attention": []}
    for part in ("by_photo", "by_caption"):
        for label, gallery in shown.items():
            for place, item in enumerate(gallery[part]):
                if place == len(merged[part]):
                    merged[part].append({**item, "results": {}})
                merged[part][place]["results"][label] = item["results"]
    # A run knows its fusion, not its label in a comparison.
    merged["attention"] = [
        {**item, "fusion": label} for label, gallery in shown.items() for item in gallery["attention"]
    ]
    ids = [item["photo"] for part in ("by_photo", "by_caption", "attention") for item in merged[part]]
    ids += [hit["photo"] for item in merged["by_caption"] for hits in item["results"].values() for hit in hits]
    merged["photos"] = list(dict.fromkeys(ids))
    return merged


class _Shown:
    """One evaluation's answers by the number of their image (row) or caption (column)."""

    def __init__(self, feed: Feed, evaluation: Evaluation) -> None:
        self.collection = feed.collection
        self.evaluation = evaluation
        self.answers: Answers = evaluation.answers

    def by_image(self, row: int) -> dict[str, Any]:
        """Give the captions that score highest with an image."""
        truth = np.flatnonzero(self.answers.caption_row == row)
        return {
            "photo": self.image_id(row),
            "truth": [self.text(int(column)) for column in truth],
            "results": [
                {
                    "text": self.text(column),
                    "score": score,
                    "score_kind": self.evaluation.score_kind,
                    "correct": bool(self.answers.caption_row[column] == row),
                }
                for column, score in _best(self.answers.scores.image_to_text[row])
            ],
        }

    def by_caption(self, column: int) -> dict[str, Any]:
        """Give the images that score highest with a caption."""
        truth = int(self.answers.caption_row[column])
        return {
            "text": self.text(column),
            "photo": self.image_id(truth),
            "results": [
                {
                    "photo": self.image_id(row),
                    "score": score,
                    "score_kind": self.evaluation.score_kind,
                    "correct": row == truth,
                }
                for row, score in _best(self.answers.scores.text_to_image[:, column])
            ],
        }

    def text(self, column: int) -> str:
        """Give a caption's text."""
        return self.collection.captions[self.evaluation.captions[column]].text

    def image_id(self, row: int) -> str:
        """Give an image's id."""
        return self.collection.photos[self.evaluation.images[row]].id


@torch.no_grad()
def _attention(
    learner: MatchLearner, feed: Feed, shown: _Shown, columns: list[int], *, fusion: str
) -> list[dict[str, Any]]:
    """Give word-to-region maps of true pairs; nothing for a fusion that attends to nothing."""
    learner.eval()
    model = learner.model
    entries = []
    for column in columns:
        index = shown.evaluation.images[int(shown.answers.caption_row[column])]
        caption = shown.text(column)
        image = feed.encode_images([index])
        # Not from the cache: it holds words only, and the pieces count the special tokens too.
        ids, valid = model.text.text_input([caption])
        text = model.encode_text(ids.to(image.values.device), valid.to(image.values.device))
        maps = model.fuse(text, image, maps=True).maps
        if not maps or image.grid is None:
            continue
        photo = feed.collection.photos[index]
        height, width = load_rgb(photo.source).shape[:2]
        found = word_maps(maps, model.text.text_input.pieces(caption), grid=image.grid)
        entry = found.to_json(fusion=fusion, photo=photo.id, caption=caption)
        # Where the grid lies on the image: a crop covers less than the image, padding reaches past it.
        entries.append({**entry, "box": list(grid_box(geometry_of(height, width, model.image.image_spec)))})
    return entries


def _best(scores: Tensor) -> list[tuple[int, float]]:
    top = scores.topk(min(BEST, len(scores)))
    return [(int(i), round(float(v), 4)) for i, v in zip(top.indices, top.values, strict=True)]
