"""Pictures of a caption while a run trains: the image, and for each word what the decoder attended to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from plait.data.geometry import geometry_of
from plait.data.images import load_rgb
from plait.explain.overlay import grid_box, overlay, strip
from plait.tasks.caption.writing import Writer

if TYPE_CHECKING:
    from plait.train.feed import Feed

__all__ = ["sample_pictures"]

TILE_PX = 128


def sample_pictures(writer: Writer, feed: Feed, image: int) -> Mapping[str, np.ndarray]:
    """Write a caption for one image and draw it: the image, then one tile per word with the word below.

    Returns: one picture (H, W, 3) uint8 by the image's name. Without attention, or a grid, it is the image with the
    caption below.
    """
    photo = feed.collection.photos[image]
    rgb = load_rgb(photo.source, enough_px=4 * TILE_PX)
    tokens = feed.encode_images([image])
    (written,) = writer.write(tokens)
    tiles, labels = [rgb], [written.text]
    weights = writer.weights(tokens, [written])[0]
    if weights is not None and tokens.grid is not None:
        box = grid_box(geometry_of(rgb.shape[0], rgb.shape[1], writer.learner.model.image.image_spec))
        maps = weights.reshape(len(weights), *tokens.grid)
        tiles += [overlay(rgb, one, box=box) for one in maps]
        labels += list(written.words)
    name = re.sub(r"[^\w.-]+", "_", photo.id).strip("._") or "image"
    return {name: strip(tiles, labels, side_px=TILE_PX)}
