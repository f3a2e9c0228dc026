"""Questions about squares of one colour: a set and a recipe that train in a second, and a fixed answerer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from plait.data.collection import Caption, Collection, Photo

__all__ = ["RECIPE", "collection", "write_set"]

COLOURS = {"red": (220, 30, 30), "green": (30, 180, 30), "blue": (30, 30, 220), "white": (240, 240, 240)}
RECIPE = """
task = "answer"

[text]
encoder = "words"
min_count = 1
options = { width = 16, embedding_width = 16 }

[image]
encoder = "cnn_small"
size_px = 32

[fusion]
name = "san"
width = 16

[variants.mcan]
options = { heads = 2, layers = 1 }

[variants.text_only]
options = { heads = 2 }

[train]
epochs = 30
batch_size = 8
captions_per_image = 2
lr = 5e-3
encoder_lr = 5e-3
precision = "fp32"
"""


def write_set(folder: Path, *, images: int = 64) -> Path:
    """Write images/*.png, vqa.csv and splits.json: each image's colour is asked for, and whether it is red."""
    (folder / "images").mkdir(parents=True)
    lines, names = ["image,question,answer"], []
    for number in range(images):
        colour = list(COLOURS)[number % len(COLOURS)]
        names.append(f"p{number:03d}.png")
        pixels = np.full((32, 32, 3), COLOURS[colour], np.uint8)
        pixels[0, 0] = number
        Image.fromarray(pixels).save(folder / "images" / names[-1])
        lines += [
            f"{names[-1]},what colour is it ?,{colour}",
            f"{names[-1]},is it red ?,{'yes' if colour == 'red' else 'no'}",
        ]
    held_out = [name for number, name in enumerate(names) if number % 16 < 4]
    rest = [name for name in names if name not in held_out]
    (folder / "vqa.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "splits.json").write_text(f'{{"train": {rest}, "val": {held_out}}}'.replace("'", '"'), encoding="utf-8")
    (folder / "answer.toml").write_text(RECIPE, encoding="utf-8")
    return folder


def collection(asked: Sequence[tuple[str, Sequence[str]]], *, held_out: int = 2) -> Collection:
    """Give one grey image per question and its answers; the last `held_out` are "val", the rest "train"."""
    photos = [Photo(f"p{n}", np.full((4, 4, 3), n, np.uint8)) for n in range(len(asked))]
    captions = [Caption(f"c{n}", text, n, answers=tuple(given)) for n, (text, given) in enumerate(asked)]
    cut = len(asked) - held_out
    splits = {"train": tuple(range(cut)), "val": tuple(range(cut, len(asked)))}
    return Collection("toys", "tests", tuple(photos), tuple(captions), splits)
