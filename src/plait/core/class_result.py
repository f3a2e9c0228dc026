"""What classification answers, by whatever model: classes with their probabilities, image by image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from plait.core.show import data_frame, html_table, shortened

__all__ = ["ClassResult", "RankedClass"]


@dataclass(frozen=True)
class RankedClass:
    """One class in the ranking of an image.

    Fields:
        label:       its name
        probability: in [0, 1], over the labels given or trained
    """

    label: str
    probability: float


@dataclass(frozen=True, eq=False, repr=False)
class ClassResult:
    """The probability of every class for every image, in the order given.

    Fields:
        probabilities: (I, K) float32 in [0, 1], rows sum to 1
        logits:        (I, K) float32, what they are the softmax of, before the temperature
        labels:        K names
        images:        I names: paths, or "array 2" for the third one given
        temperature:   the logits are divided by it
        how:           where the classes come from, in words
    """

    probabilities: np.ndarray
    logits: np.ndarray
    labels: tuple[str, ...]
    images: tuple[str, ...]
    temperature: float = 1.0
    how: str = ""

    @property
    def best(self) -> tuple[str, ...]:
        """Give each image's most probable class."""
        return tuple(self.labels[int(place)] for place in self.probabilities.argmax(axis=1))

    def ranked(self, image: int = 0, *, top: int = 5) -> list[RankedClass]:
        """Give the `top` most probable classes of one of the images, by its place (0, 1, ...)."""
        row = self.probabilities[image]
        order = np.argsort(-row, kind="stable")[: max(1, top)]
        return [RankedClass(self.labels[int(place)], float(row[place])) for place in order]

    def to_json(self, *, top: int = 5) -> list[dict[str, Any]]:
        """Give plain data: one entry per image with its `top` classes."""
        return [
            {
                "image": name,
                "classes": [{"label": one.label, "probability": one.probability} for one in self.ranked(i, top=top)],
            }
            for i, name in enumerate(self.images)
        ]

    def to_frame(self) -> Any:
        """Give a pandas DataFrame with one row per image: image, label, probability.

        Raises:
            MissingPackageError: pandas is not installed.
        """
        highest = self.probabilities.max(axis=1)
        return data_frame(
            {"image": list(self.images), "label": list(self.best), "probability": [float(value) for value in highest]}
        )

    def __repr__(self) -> str:
        """Say in one line what was classified, and the first answer."""
        first = self.ranked(top=1)[0]
        return (
            f"ClassResult({len(self.images):,} images, {len(self.labels):,} labels; {shortened(self.images[0], 60)}: "
            f"{first.label} {100 * first.probability:.1f} %)"
        )

    def _repr_html_(self) -> str:
        rows = [
            [name, one.label, f"{100 * one.probability:.1f} %"]
            for i, name in enumerate(self.images)
            for one in self.ranked(i, top=1)
        ]
        return html_table(f"{len(self.images):,} images", rows, header=["image", "class", "probability"], note=self.how)
