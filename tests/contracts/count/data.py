"""Scenes of one to four squares, as a folder a user might have: the file's name ends with the number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

MOST = 4
QUESTION = "how many things are in this scene"


def number_in(name: str) -> int:
    """Give the number of things that an image's name tells."""
    return int(Path(name).stem.rpartition("-")[2])


def make_scenes(folder: Path, *, images: int = 48) -> Path:
    """Write images/*.png, captions.csv and splits.json (two thirds train, one third val), and give the folder."""
    (folder / "images").mkdir(parents=True)
    random = np.random.default_rng(0)
    names, lines = [], ["image,caption"]
    for i in range(images):
        number = 1 + i % MOST
        pixels = np.full((32, 32, 3), 20, dtype=np.uint8)
        for place in random.permutation(4)[:number]:
            y, x = 16 * (place // 2), 16 * (place % 2)
            pixels[y + 3 : y + 13, x + 3 : x + 13] = random.integers(120, 255, 3)
        names.append(f"s{i:03d}-{number}.png")
        Image.fromarray(pixels).save(folder / "images" / names[-1])
        lines.append(f"{names[-1]},{QUESTION}")
    (folder / "captions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    held_out = [name for i, name in enumerate(names) if i % 12 < 4]
    rest = [name for name in names if name not in held_out]
    (folder / "splits.json").write_text(f'{{"train": {rest}, "val": {held_out}}}'.replace("'", '"'), encoding="utf-8")
    return folder
