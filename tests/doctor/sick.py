"""A data folder with one of every fault, small enough to be checked in a second."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from tests.data.photos import scene

__all__ = ["healthy", "sick", "write"]


def write(path: Path, rgb: np.ndarray) -> Path:
    """Write an array (H, W, 3) or (H, W) as an image file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgb).save(path)
    return path


def healthy(folder: Path, *, photos: int = 8) -> Path:
    """Make a folder of different scenes, of two sizes, two captions each, train and val by number, and licences."""
    rows = ["image,caption,license"]
    for n in range(photos):
        write(folder / "images" / f"p{n}.png", scene(n, width=120 + 30 * (n % 2)))
        rows += [f'p{n}.png,"a scene with number {"abcdefghijklmnop"[n]} of {k} things",CC BY 4.0' for k in (2, 3)]
    (folder / "captions.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    names = [f"p{n}.png" for n in range(photos)]
    _split(folder, {"train": names[: photos - 3], "val": names[photos - 3 :]})
    return folder


def sick(folder: Path) -> Path:
    """Make a healthy folder of 12 scenes and spoil it; the tests say how many of what."""
    healthy(folder, photos=12)
    images = folder / "images"
    (images / "p1.png").write_bytes((images / "p0.png").read_bytes())  # a copy within train
    (images / "p9.png").write_bytes((images / "p2.png").read_bytes())  # a copy in val of one in train
    darker = np.asarray(Image.open(images / "p3.png")) * 0.8 + 15
    write(images / "p10.png", darker.astype(np.uint8))  # p3 saved again, in val
    whole = Path(images / "p4.png").read_bytes()
    (images / "p4.png").write_bytes(whole[: len(whole) // 2])
    (images / "p5.png").write_bytes(b"no image at all")
    write(images / "p6.png", np.full((90, 120, 3), 200, dtype=np.uint8))
    (images / "unused.png").write_bytes(whole)
    lines = (folder / "captions.csv").read_text(encoding="utf-8").splitlines()
    lines += [
        "gone.png,a photo that is not there at all,CC BY 4.0",
        "p7.png,   ,CC BY 4.0",
        'p7.png,"A scene, with number h of 2 things!",CC BY-NC 4.0',  # the same words once more
        "p8.png,a scene with number h of 2 things,CC BY 4.0",  # p7's
        "p8.png,a dog,CC BY 4.0",
        "p11.png,a zebra beside a scene,CC BY 4.0",
    ]
    (folder / "captions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    names = [f"p{n}.png" for n in range(12)]
    _split(folder, {"train": [*names[:9], "gone.png", "p11.png"], "val": [*names[9:], "idle.png"]})
    return folder


def _split(folder: Path, splits: dict[str, list[str]]) -> None:
    (folder / "splits.json").write_text(json.dumps(splits), encoding="utf-8")
