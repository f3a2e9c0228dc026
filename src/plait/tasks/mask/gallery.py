"""What a run shows of its masks: a fixed sample, and its best, middle and worst, as small pictures."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from plait.core.types import ImageSpec
from plait.data.geometry import geometry_of
from plait.data.images import load_rgb, thumbnail_jpeg
from plait.data.masks.load import frame_to_photo
from plait.explain.attention import word_maps
from plait.explain.overlay import grid_box, paint_mask
from plait.model import FusionModel
from plait.tasks.mask.evaluate import MaskEvaluation, mask_probabilities
from plait.train.feed import Feed

__all__ = ["ERROR_COLOURS", "TRUTH_COLOUR", "show_masks"]

SHOWN = 6
EXTREMES = 2
ATTENDED = 4
SIDE_PX = 176
# Right, missed and wrongly added: they differ in lightness too, for those who see no hues.
TRUTH_COLOUR = (64, 200, 120)
ERROR_COLOURS = {"right": (64, 200, 120), "missed": (70, 110, 255), "added": (255, 120, 40)}


def show_masks(model: FusionModel, feed: Feed, evaluation: MaskEvaluation, *, fusion: str) -> dict[str, Any]:
    """Collect a run's gallery: photo, phrase, truth, prediction and error map.

    The sample depends on the split alone, so that every fusion of a comparison is shown on the same captions, and
    nobody picked them by how well they came out; "extremes" are this run's best, middle and worst by IoU.
    """
    model.eval()
    count = len(evaluation.captions)
    sample = np.random.default_rng(0).permutation(count)[:SHOWN]
    order = np.argsort(evaluation.iou, kind="stable")
    middle = max(0, count // 2 - EXTREMES // 2)
    picked = {
        "best": order[::-1][:EXTREMES],
        "median": order[middle : middle + EXTREMES],
        "worst": order[:EXTREMES],
    }
    return {
        "masks": [_shown(model, feed, evaluation, int(place)) for place in sample],
        "extremes": [
            {**_shown(model, feed, evaluation, int(place)), "rank": rank, "fusion": fusion}
            for rank, places in picked.items()
            for place in places
        ],
        "attention": _attention(model, feed, evaluation, [int(place) for place in sample[:ATTENDED]], fusion=fusion),
    }


def _shown(model: FusionModel, feed: Feed, evaluation: MaskEvaluation, place: int) -> dict[str, Any]:
    row = evaluation.captions[place]
    caption = feed.collection.captions[row]
    photo = feed.collection.photos[caption.image]
    rgb, truth = load_rgb(photo.source), feed.masks.truth(row)
    spec = model.image.input
    assert isinstance(spec, ImageSpec)
    said = mask_probabilities(model, feed.encode_texts([row]), feed.encode_photos([caption.image]))[0]
    found = frame_to_photo(said, geometry_of(truth.shape[0], truth.shape[1], spec)) >= evaluation.details["threshold"]
    wrong = {"right": found & truth, "missed": truth & ~found, "added": found & ~truth}
    error = rgb
    for kind, region in wrong.items():
        error = paint_mask(error, region, colour=ERROR_COLOURS[kind], opacity=0.7)
    return {
        "photo": photo.id,
        "text": caption.text,
        "iou": round(100 * float(evaluation.iou[place]), 1),
        "pictures": {
            "photo": _picture(rgb),
            "truth": _picture(paint_mask(rgb, truth, colour=TRUTH_COLOUR)),
            "prediction": _picture(paint_mask(rgb, found, colour=TRUTH_COLOUR)),
            "error": _picture(error),
        },
    }


def _picture(rgb: np.ndarray) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(thumbnail_jpeg(rgb, SIDE_PX)).decode()}"


def _attention(
    model: FusionModel, feed: Feed, evaluation: MaskEvaluation, places: list[int], *, fusion: str
) -> list[dict[str, Any]]:
    """Give word-to-cell maps; nothing for a fusion that attends to nothing."""
    shown = []
    spec = model.image.input
    assert isinstance(spec, ImageSpec)
    for place in places:
        caption = feed.collection.captions[evaluation.captions[place]]
        photo = feed.collection.photos[caption.image]
        # Not from the cache: it holds words only, and the pieces count the special tokens too.
        text = model.encode_text(*model.text.input([caption.text]))  # type: ignore[operator]
        image = feed.encode_photos([caption.image])
        maps = model.fuse(text, image, maps=True).maps
        if not maps or image.grid is None:
            continue
        found = word_maps(maps, model.text.input.pieces(caption.text), grid=image.grid)  # type: ignore[union-attr]
        entry = found.to_json(fusion=fusion, photo=photo.id, caption=caption.text)
        height, width = load_rgb(photo.source).shape[:2]
        shown.append({**entry, "box": list(grid_box(geometry_of(height, width, spec)))})
    return shown
