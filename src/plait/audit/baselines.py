"""What is right without reading texts or images: chance, constant scores, and priors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from plait.metrics.retrieval import image_to_text, recall_at, text_to_image

__all__ = ["baselines"]


def baselines(caption_row: np.ndarray, images: int, texts: Sequence[str]) -> dict[str, dict[str, float]]:
    """Give R@1 both ways, in percent, of three ways to score without reading anything.

    "chance":   random scores: one image of I; for images, their share of all captions.
    "constant": the same score for everything, measured by the metrics in use; must equal chance.
    "prior":    always the image with the most captions, and always the most frequent sentence.

    Shapes: caption_row (C,) int in [0, images); texts: the C captions.
    """
    counts = np.bincount(caption_row, minlength=images)
    frequency = Counter(texts)
    column = np.array([frequency[text] for text in texts], dtype=np.float32)
    captioned = counts > 0
    constant = np.zeros((images, len(caption_row)), dtype=np.float32)
    by_image = np.broadcast_to(counts[:, None].astype(np.float32), constant.shape)
    by_text = np.broadcast_to(column[None], constant.shape)
    return {
        "chance": {"t2i_r1": 100.0 / images, "i2t_r1": float(100.0 * (counts[captioned] / len(caption_row)).mean())},
        "constant": {
            "t2i_r1": recall_at(text_to_image(constant, caption_row), 1),
            "i2t_r1": recall_at(image_to_text(constant, caption_row), 1),
        },
        "prior": {
            "t2i_r1": recall_at(text_to_image(by_image, caption_row), 1),
            "i2t_r1": recall_at(image_to_text(by_text, caption_row), 1),
        },
    }
