"""What a run shows of itself: its best answers for a fixed sample of photos and captions, and where it looked."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from plait.core.types import ImageSpec
from plait.data.images import geometry_of, load_rgb
from plait.explain.attention import word_maps
from plait.explain.overlay import grid_box
from plait.model import FusionModel
from plait.tasks.match.evaluate import Evaluation
from plait.train.feed import Feed

__all__ = ["show_run"]

SHOWN = 12
ATTENDED = 6
BEST = 3


def show_run(model: FusionModel, feed: Feed, evaluation: Evaluation, *, fusion: str) -> dict[str, Any]:
    """Collect a run's gallery: photo ids, texts and figures only; the report adds the pictures.

    The sample depends on the split alone, so that every fusion of a comparison is shown on the same photos, and nobody
    picked them by how well they came out.
    """
    rows = np.random.default_rng(0).permutation(len(evaluation.photos))[:SHOWN]
    columns = [int(np.flatnonzero(evaluation.caption_row == row)[0]) for row in rows]
    return {
        "by_photo": [_by_photo(feed, evaluation, int(row)) for row in rows],
        "by_caption": [_by_caption(feed, evaluation, column) for column in columns],
        "attention": _attention(model, feed, evaluation, columns[:ATTENDED], fusion=fusion),
    }


def _by_photo(feed: Feed, evaluation: Evaluation, row: int) -> dict[str, Any]:
    scores = evaluation.scores.image_to_text[row]
    truth = np.flatnonzero(evaluation.caption_row == row)
    return {
        "photo": _photo_id(feed, evaluation, row),
        "truth": [_text(feed, evaluation, int(c)) for c in truth],
        "results": [
            {
                "text": _text(feed, evaluation, column),
                "score": score,
                "score_kind": evaluation.scores.kind,
                "correct": bool(evaluation.caption_row[column] == row),
            }
            for column, score in _best(scores)
        ],
    }


def _by_caption(feed: Feed, evaluation: Evaluation, column: int) -> dict[str, Any]:
    scores = evaluation.scores.text_to_image[:, column]
    truth = int(evaluation.caption_row[column])
    return {
        "text": _text(feed, evaluation, column),
        "photo": _photo_id(feed, evaluation, truth),
        "results": [
            {
                "photo": _photo_id(feed, evaluation, row),
                "score": score,
                "score_kind": evaluation.scores.kind,
                "correct": row == truth,
            }
            for row, score in _best(scores)
        ],
    }


@torch.no_grad()
def _attention(
    model: FusionModel, feed: Feed, evaluation: Evaluation, columns: list[int], *, fusion: str
) -> list[dict[str, Any]]:
    """Give word-to-region maps of true pairs; nothing for a fusion that attends to nothing."""
    model.eval()
    shown = []
    for column in columns:
        row = int(evaluation.caption_row[column])
        caption = _text(feed, evaluation, column)
        # Not from the cache: it holds words only, and the pieces count the special tokens too.
        text = model.encode_text(*model.text.input([caption]))  # type: ignore[operator]
        image = feed.encode_photos([evaluation.photos[row]])
        maps = model.fuse(text, image, maps=True).maps
        if not maps or image.grid is None:
            continue
        spec, photo = model.image.input, feed.collection.photos[evaluation.photos[row]]
        assert isinstance(spec, ImageSpec)
        height, width = load_rgb(photo.source).shape[:2]
        found = word_maps(maps, model.text.input.pieces(caption), grid=image.grid)  # type: ignore[union-attr]
        entry = found.to_json(fusion=fusion, photo=photo.id, caption=caption)
        # Where the grid lies on the photo: a crop covers less than the photo, padding reaches past it.
        shown.append({**entry, "box": list(grid_box(geometry_of(height, width, spec)))})
    return shown


def _best(scores: Tensor) -> list[tuple[int, float]]:
    top = scores.float().topk(min(BEST, len(scores)))
    return [(int(i), round(float(v), 4)) for i, v in zip(top.indices, top.values, strict=True)]


def _text(feed: Feed, evaluation: Evaluation, column: int) -> str:
    return feed.collection.captions[evaluation.captions[column]].text


def _photo_id(feed: Feed, evaluation: Evaluation, row: int) -> str:
    return feed.collection.photos[evaluation.photos[row]].id
