"""Images with a class, small enough to learn in seconds: a square whose colour is the class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.tiny import COLOURS

__all__ = ["CLASSES", "make_class_folders", "make_class_table", "squares"]

CLASSES = ("red", "green", "blue")


def squares(colour: str, count: int, *, seed: int = 0, side_px: int = 24) -> list[np.ndarray]:
    """Give images of one square of a colour, at random places on a grey ground."""
    random = np.random.default_rng((seed, list(COLOURS).index(colour)))
    found = []
    for _ in range(count):
        pixels = random.integers(90, 130, (side_px, side_px, 3)).astype(np.uint8)
        y, x = random.integers(0, side_px // 2, 2)
        pixels[y : y + side_px // 2, x : x + side_px // 2] = COLOURS[colour]
        found.append(pixels)
    return found


def make_class_folders(
    folder: Path, *, per_class: int = 24, classes: tuple[str, ...] = CLASSES, splits: tuple[str, ...] = ()
) -> Path:
    """Write CLASS/name.png, under a folder per split where `splits` names some, and give the folder."""
    for number, split in enumerate(splits or ("",)):
        for name in classes:
            place = folder / split / name
            place.mkdir(parents=True)
            for i, pixels in enumerate(squares(name, per_class, seed=number)):
                Image.fromarray(pixels).save(place / f"{name}-{i:02d}.png")
    return folder


def make_class_table(folder: Path, *, per_class: int = 12) -> Path:
    """Write images/*.png and labels.csv (image,label), and give the folder."""
    (folder / "images").mkdir(parents=True)
    lines = ["image,label"]
    for name in CLASSES:
        for i, pixels in enumerate(squares(name, per_class)):
            Image.fromarray(pixels).save(folder / "images" / f"{name}_{i:02d}.png")
            lines.append(f"{name}_{i:02d}.png,{name}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
