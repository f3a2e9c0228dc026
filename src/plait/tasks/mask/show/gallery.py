"""What a run shows of its masks: a fixed sample, and its best, middle and worst, as small images."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from plait.core.evaluation import Evaluation
from plait.core.types import Tokens
from plait.data.geometry import geometry_of
from plait.data.images import load_rgb, thumbnail_jpeg
from plait.data.masks.load import frame_to_photo
from plait.explain.attention import word_maps
from plait.explain.overlay import grid_box, paint_mask
from plait.tasks.mask.evaluate import MaskAnswers
from plait.tasks.mask.learner import MaskLearner, eval_mode
from plait.tasks.mask.targets import true_mask

if TYPE_CHECKING:
    from plait.train.feed import Feed

__all__ = ["ERROR_COLOURS", "TRUTH_COLOUR", "merge_masks", "show_masks"]

SHOWN = 6
EXTREMES = 2
ATTENTION_SHOWN = 4
SIDE_PX = 176
# Right, missed and wrongly added: they differ in lightness too, so that they differ for every reader.
TRUTH_COLOUR = (64, 200, 120)
ERROR_COLOURS = {"right": (64, 200, 120), "missed": (70, 110, 255), "added": (255, 120, 40)}


def show_masks(learner: MaskLearner, feed: Feed, evaluation: Evaluation, *, fusion: str) -> dict[str, Any]:
    """Collect a run's gallery: image, phrase, true mask, prediction and error map.

    The sample depends on the split alone, so that every fusion of a comparison is shown on the same captions, and no
    caption was picked by its result; "extremes" are this run's best, middle and worst by IoU.
    """
    show = _Show(learner, feed, evaluation, evaluation.answers)
    count = len(evaluation.captions)
    sample = [int(place) for place in np.random.default_rng(0).permutation(count)[:SHOWN]]
    order = np.argsort(show.answers.iou, kind="stable")
    middle = max(0, count // 2 - EXTREMES // 2)
    picked = {
        "best": order[::-1][:EXTREMES],
        "median": order[middle : middle + EXTREMES],
        "worst": order[:EXTREMES],
    }
    with eval_mode(learner.model):
        return {
            "masks": [show.mask(place) for place in sample],
            "extremes": [
                {**show.mask(int(place)), "rank": rank, "fusion": fusion}
                for rank, places in picked.items()
                for place in places
            ],
            "attention": [
                shown for place in sample[:ATTENTION_SHOWN] if (shown := show.attention(place, fusion)) is not None
            ],
        }


def merge_masks(shown: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Join the galleries of a comparison, label -> gallery, in the order given.

    Returns: what gallery.json holds: "masks": [{photo, text, "pictures" of the image and the true mask, "results":
    {label: {iou, prediction, error}}}], "extremes" and "attention" of every label, and "photos": the ids of the images
    that the attention maps belong to.
    """
    masks: list[dict[str, Any]] = []
    for label, gallery in shown.items():
        for place, item in enumerate(gallery["masks"]):
            pictures = item["pictures"]
            if place == len(masks):
                given = {key: pictures[key] for key in ("photo", "truth")}
                masks.append({"photo": item["photo"], "text": item["text"], "pictures": given, "results": {}})
            own = {key: pictures[key] for key in ("prediction", "error")}
            masks[place]["results"][label] = {"iou": item["iou"], **own}
    attention = _labelled(shown, "attention")
    return {
        "masks": masks,
        "extremes": _labelled(shown, "extremes"),
        "attention": attention,
        "photos": list(dict.fromkeys(item["photo"] for item in attention)),
    }


@dataclass(frozen=True)
class _Show:
    """Shows captions of an evaluation, each by its place in `evaluation.captions`."""

    learner: MaskLearner
    feed: Feed
    evaluation: Evaluation
    answers: MaskAnswers

    def mask(self, place: int) -> dict[str, Any]:
        row = self.evaluation.captions[place]
        caption = self.feed.collection.captions[row]
        image = self.feed.collection.photos[caption.image]
        rgb, truth = load_rgb(image.source), true_mask(self.feed.collection, row)
        text, regions = self.feed.encode_texts([row]), self.feed.encode_images([caption.image])
        probability = frame_to_photo(
            self.learner.probabilities(text, regions)[0],
            geometry_of(truth.shape[0], truth.shape[1], self.learner.model.image.image_spec),
        )
        found = probability >= self.answers.threshold
        error = rgb
        for kind, region in {"right": found & truth, "missed": truth & ~found, "added": found & ~truth}.items():
            error = paint_mask(error, region, colour=ERROR_COLOURS[kind], opacity=0.7)
        return {
            "photo": image.id,
            "text": caption.text,
            "iou": round(100 * float(self.answers.iou[place]), 1),
            "pictures": {
                "photo": _picture(rgb),
                "truth": _picture(paint_mask(rgb, truth, colour=TRUTH_COLOUR)),
                "prediction": _picture(paint_mask(rgb, found, colour=TRUTH_COLOUR)),
                "error": _picture(error),
            },
        }

    def attention(self, place: int, fusion: str) -> dict[str, Any] | None:
        """Give maps from words to cells; None for a fusion that attends to nothing."""
        caption = self.feed.collection.captions[self.evaluation.captions[place]]
        image = self.feed.collection.photos[caption.image]
        regions = self.feed.encode_images([caption.image])
        text = self._with_special_tokens(caption.text, regions)
        maps = self.learner.model.fuse(text, regions, maps=True).maps
        if not maps or regions.grid is None:
            return None
        model = self.learner.model
        found = word_maps(maps, model.text.text_input.pieces(caption.text), grid=regions.grid)
        height, width = load_rgb(image.source).shape[:2]
        box = grid_box(geometry_of(height, width, model.image.image_spec))
        return {**found.to_json(fusion=fusion, photo=image.id, caption=caption.text), "box": list(box)}

    def _with_special_tokens(self, text: str, beside: Tokens) -> Tokens:
        """Encode a text again: cached tokens are those of words, and pieces count the special tokens too."""
        model, device = self.learner.model, beside.values.device
        ids, valid = model.text.text_input([text])
        return model.encode_text(ids.to(device), valid.to(device))


def _labelled(shown: Mapping[str, dict[str, Any]], part: str) -> list[dict[str, Any]]:
    """Join one part of the galleries under the comparison's labels: a run knows its fusion, not its label."""
    return [{**item, "fusion": label} for label, gallery in shown.items() for item in gallery[part]]


def _picture(rgb: np.ndarray) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(thumbnail_jpeg(rgb, SIDE_PX)).decode()}"
