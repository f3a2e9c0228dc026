"""A predicted mask: what was found, and its files: the mask itself, the image with the mask painted over, figures."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from plait.core.files import write_json
from plait.core.show import shortened
from plait.explain.overlay import paint_mask, save_png

__all__ = ["MaskResult", "write_result"]


@dataclass(frozen=True, eq=False, repr=False)
class MaskResult:
    """The region of an image that a phrase refers to.

    Fields:
        image:       path of the image file, or "array"
        text:        the phrase
        run:         folder of the run that found it
        mask:        (H, W) bool at the image's own size, True = in the region: probability >= threshold, and nothing
                     where the phrase is taken for absent
        probability: (H, W) float32 in [0, 1]; 0 where a crop cut the image off
        area:        share of the image's pixels in the region, in [0, 1]
        threshold:   the one used
        presence:    probability, in [0, 1] and at even odds before looking, that the image shows what the phrase refers
                     to; None = not known: the run was trained without absent phrases, or cannot tell them
        presence_threshold: the phrase is taken for absent below it; None = presence is not known
        files:       "mask", "probability" and "overlay" -> path of the image; empty where none was written
    """

    image: str
    text: str
    run: str
    mask: np.ndarray
    probability: np.ndarray
    area: float
    threshold: float
    presence: float | None = None
    presence_threshold: float | None = None
    files: dict[str, str] = field(default_factory=dict)

    @property
    def found(self) -> bool | None:
        """Whether the image is taken to show what the phrase refers to; None = presence is not known."""
        if self.presence is None or self.presence_threshold is None:
            return None
        return self.presence >= self.presence_threshold

    def __repr__(self) -> str:
        """Say in one line what was found."""
        height, width = self.mask.shape
        if self.found is False:
            return (
                f"MaskResult({shortened(self.text, 40)!r} in {shortened(self.image)}: not found, probability "
                f"{self.presence:.2f})"
            )
        return (
            f"MaskResult({shortened(self.text, 40)!r} in {shortened(self.image)}: {100 * self.area:.1f} % of "
            f"{width} x {height} pixels from probability {self.threshold:g} on, highest "
            f"{float(self.probability.max()):.2f})"
        )

    def to_json(self) -> dict[str, Any]:
        """Give what mask.json holds: everything but the pixels. "photo" is what "image" was called before."""
        height, width = self.mask.shape
        return {
            "image": self.image,
            "photo": self.image,
            "text": self.text,
            "run": self.run,
            "height": height,
            "width": width,
            "area": self.area,
            "threshold": self.threshold,
            "presence": self.presence,
            "presence_threshold": self.presence_threshold,
            "found": self.found,
            "highest_probability": float(self.probability.max()),
            "files": self.files,
        }


def write_result(found: MaskResult, rgb: np.ndarray, out: Path) -> MaskResult:
    """Write mask.png (255 = in the region), probability.png (0 to 255), overlay.png and mask.json into `out`.

    Shapes: rgb (H, W, 3) uint8, the image.
    Returns: the result with its `files`.
    Raises:
        StorageError: a file cannot be written.
    """
    pictures = {
        "mask": found.mask.astype(np.uint8) * np.uint8(255),
        "probability": np.rint(255 * found.probability).astype(np.uint8),
        "overlay": paint_mask(rgb, found.mask),
    }
    files = {name: str(save_png(picture, out / f"{name}.png")) for name, picture in pictures.items()}
    written = replace(found, files=files)
    write_json(out / "mask.json", written.to_json())
    return written
