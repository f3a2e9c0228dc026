"""A data folder of coloured squares, small enough to train on in a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["COLOURS", "make_tiny"]

# Hue by hue, so that a caption names exactly one photo and a picture can be told from its mean colour.
COLOURS = {
    "red": (200, 30, 30),
    "green": (30, 160, 40),
    "blue": (30, 50, 200),
    "yellow": (230, 220, 40),
    "purple": (130, 40, 160),
    "orange": (240, 140, 20),
    "white": (245, 245, 245),
    "black": (15, 15, 15),
}


def make_tiny(folder: Path, *, photos: int = 8, captions: int = 2, side_px: int = 24) -> Path:
    """Write images/*.png and captions.csv (image,caption), and give the folder back.

    Photo i shows one square of one colour on another, caption j of it says so in the j-th of a few wordings.
    """
    (folder / "images").mkdir(parents=True)
    names = list(COLOURS)
    wordings = ("a {} square on {}", "the square is {}, all around it is {}", "{} in front of {}")
    lines = ["image,caption"]
    for i in range(photos):
        front, back = names[i % 8], names[(i + 1 + i // 8) % 8]
        pixels = np.full((side_px, side_px, 3), COLOURS[back], dtype=np.uint8)
        edge = side_px // 4
        pixels[edge:-edge, edge:-edge] = COLOURS[front]
        Image.fromarray(pixels).save(folder / "images" / f"p{i:03d}.png")
        for j in range(captions):
            text = wordings[j % len(wordings)].format(front, back)
            lines.append(f'p{i:03d}.png,"{text}"')
    (folder / "captions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
