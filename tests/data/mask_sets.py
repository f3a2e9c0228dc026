"""Small sets of masks for the tests of this room."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from tests.data.photos import scene

__all__ = ["SIZE", "box", "mask_set", "save_mask"]

SIZE = (30, 40)


def box(n: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Give (H, W) bool with 3 x (4 + n) pixels marked."""
    mask = np.zeros(size, dtype=bool)
    mask[2:5, 1 : 5 + n] = True
    return mask


def save_mask(path: Path, mask: np.ndarray) -> Path:
    """Write a mask as 0 and 255."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)
    return path


def mask_set(folder: Path, *, photos: int = 6, extra: str = "", splits: bool = True) -> Path:
    """Make a folder with two (text, mask) pairs per photo; `extra` is appended to pairs.csv."""
    lines = ["image,text,mask,source"]
    for n in range(photos):
        (folder / "images").mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene(n, height=SIZE[0], width=SIZE[1])).save(folder / "images" / f"p{n}.png")
        for k, word in enumerate(("dog", "cat")):
            save_mask(folder / "masks" / f"p{n}_{word}.png", box(n + 10 * k))
            lines.append(f"p{n}.png,{word},p{n}_{word}.png,{'web' if n == 0 else 'desk'}")
    (folder / "pairs.csv").write_text("\n".join(lines) + "\n" + extra, encoding="utf-8")
    if splits:
        names = [f"p{n}.png" for n in range(photos)]
        given = {"train": names[:-2], "val": names[-2:]}
        (folder / "splits.json").write_text(json.dumps(given), encoding="utf-8")
    return folder
