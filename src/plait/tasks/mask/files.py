"""A predicted mask on disk: the mask itself, the photo with it painted over, and its figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from plait.core.files import write_json
from plait.data.images import load_rgb
from plait.explain.overlay import paint_mask, save_png
from plait.predict.loaded import MaskResult

__all__ = ["write_mask"]


def write_mask(found: MaskResult, photo: str | Path, text: str, *, run: str, out: Path | None) -> dict[str, Any]:
    """Write mask.png (255 = meant), probability.png (0 to 255), overlay.png and mask.json into `out`.

    Args:
        out: None = nothing is written
    Returns: what mask.json says.
    Raises:
        StorageError: a file cannot be written.
    """
    height, width = found.mask.shape
    files: dict[str, str] = {}
    if out is not None:
        pictures = {
            "mask": found.mask.astype(np.uint8) * np.uint8(255),
            "probability": np.rint(255 * found.probability).astype(np.uint8),
            "overlay": paint_mask(load_rgb(Path(photo)), found.mask),
        }
        files = {name: str(save_png(picture, out / f"{name}.png")) for name, picture in pictures.items()}
    result: dict[str, Any] = {
        "photo": str(photo),
        "text": text,
        "run": run,
        "height": height,
        "width": width,
        "area": found.area,
        "threshold": found.threshold,
        "highest_probability": float(found.probability.max()),
        "files": files,
    }
    if out is not None:
        write_json(out / "mask.json", result)
    return result
