"""Small photo files and folders for the tests of this room."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["folder_of", "noise", "save_photo", "scene"]


def save_photo(path: Path, *, colour: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (32, 24)) -> Path:
    """Write a photo of one colour; `size` is (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def folder_of(path: Path, count: int, *, each: int = 2, splits: dict[str, list[int]] | None = None) -> Path:
    """Make a folder with `count` photos p0.png ..., `each` captions per photo, and maybe splits by number."""
    for number in range(count):
        save_photo(path / "images" / f"p{number}.png", colour=(number, 10, 20))
    with (path / "captions.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "caption"])
        writer.writerows([f"p{n}.png", f"photo {n}, caption {k}"] for n in range(count) for k in range(each))
    if splits is not None:
        named = {name: [f"p{n}.png" for n in members] for name, members in splits.items()}
        (path / "splits.json").write_text(json.dumps(named), encoding="utf-8")
    return path


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Give a (height, width, 3) uint8 array of noise."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def scene(seed: int, *, height: int = 90, width: int = 120) -> np.ndarray:
    """Give a (height, width, 3) uint8 picture with large shapes, as photos have and noise has not."""
    coarse = np.random.default_rng(seed).integers(20, 236, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
