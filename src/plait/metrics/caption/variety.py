"""How much captions differ from image to image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from plait.core.errors import InputError

__all__ = ["most_common_parts", "variety_parts"]


def variety_parts(captions: Sequence[str]) -> np.ndarray:
    """Give each image's part of the share of distinct captions: 100 over how many images have its caption.

    The mean is 100 times the number of distinct captions over the number of images.

    Shapes: returns (I,) float.
    Units: percent.
    Raises:
        InputError: there is no caption.
    Example:
        >>> variety_parts(["a dog", "a dog", "a cat"]).tolist()
        [50.0, 50.0, 100.0]
    """
    counts = _counts(captions)
    return np.array([100.0 / counts[caption] for caption in captions])


def most_common_parts(captions: Sequence[str]) -> np.ndarray:
    """Give 100 where an image has the caption that most images have, else 0; the mean is that caption's share.

    Shapes: returns (I,) float.
    Units: percent.
    Raises:
        InputError: there is no caption.
    """
    common = _counts(captions).most_common(1)[0][0]
    return np.array([100.0 if caption == common else 0.0 for caption in captions])


def _counts(captions: Sequence[str]) -> Counter[str]:
    if not captions:
        raise InputError("captions: expected at least one, got none")
    return Counter(captions)
