"""Masks that are malformed: files, rows, run lengths, polygons, and words after "#"."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.campaign.bench import Bench
from tests.campaign.case import Case, Command, Expected

__all__ = ["cases"]

Spoil = Callable[[Path], None]
NAME = "p0_dog.png"


def _file(make: Callable[[Path], Any]) -> Spoil:
    return lambda data: make(data / "masks" / NAME) and None


def _image(pixels: np.ndarray) -> Spoil:
    return _file(lambda path: Image.fromarray(pixels).save(path))


def _row(line: str) -> Spoil:
    def append(data: Path) -> None:
        with (data / "pairs.csv").open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    return append


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


BOX = np.zeros((30, 40), np.uint8)
BOX[2:9, 3:9] = 255
# What is said of each: "works", or "noted" with the mask's name where it is left out.
FILES: dict[str, tuple[Spoil, Expected]] = {
    "absent": (_file(lambda path: path.unlink()), "noted"),
    "empty": (_file(lambda path: path.write_bytes(b"")), "noted"),
    "text": (_file(lambda path: path.write_bytes(b"no mask")), "noted"),
    "cut": (_file(lambda path: path.write_bytes(path.read_bytes()[:50])), "noted"),
    "folder": (_file(_folder), "noted"),
    "other_size": (_image(np.zeros((7, 9), np.uint8)), "refused"),
    "all_black": (_image(np.zeros((30, 40), np.uint8)), "noted"),
    "all_white": (_image(np.full((30, 40), 255, np.uint8)), "works"),
    "grey_levels": (_image(np.arange(1200, dtype=np.uint16).reshape(30, 40).astype(np.uint8)), "noted"),
    "colour": (_image(np.dstack([BOX, BOX // 2, BOX // 3])), "works"),
    "ones": (_image(BOX // 255), "works"),
    "sixteen_bits": (_image(BOX.astype(np.uint16) * 257), "works"),
}
ROWS: dict[str, tuple[str, Expected, tuple[str, ...]]] = {
    "empty_text": ('p0.png,"",p0_dog.png,desk', "noted", ("row 14",)),
    "empty_mask": ("p0.png,dog,,desk", "noted", ("row 14",)),
    "unknown_mask": ("p0.png,dog,nowhere.png,desk", "noted", ("nowhere.png",)),
    "unknown_image": ("p99.png,dog,p0_dog.png,desk", "noted", ("p99.png",)),
    "outside": ("p0.png,dog,../../secret.png,desk", "refused", ("secret.png",)),
    "too_few": ("p0.png,dog", "refused", ("row 14",)),
    "nul": ("p0.png,dog,p0\x00.png,desk", "noted", ("row 14",)),
    "long": (f"p0.png,dog,{'m' * 3000}.png,desk", "noted", ("row 14",)),
}
GOOD = {"counts": [65, 7, 1128], "size": [30, 40]}
# Values of an annotation's "segmentation" in a COCO file.
REGIONS: dict[str, tuple[Any, Expected]] = {
    "run_lengths": (GOOD, "works"),
    "too_long": ({"counts": [65, 7, 11280], "size": [30, 40]}, "noted"),
    "negative": ({"counts": [65, -7, 1128], "size": [30, 40]}, "noted"),
    "other_size": ({"counts": [3, 2, 1], "size": [2, 3]}, "refused"),
    "text_counts": ({"counts": "\x00\x01", "size": [30, 40]}, "noted"),
    "no_size": ({"counts": [65, 7, 1128]}, "refused"),
    "zero_size": ({"counts": [], "size": [0, 0]}, "refused"),
    "huge_size": ({"counts": [1], "size": [10**6, 10**6]}, "refused"),
    "polygon": ([[1, 1, 20, 1, 20, 20]], "works"),
    "two_points": ([[1, 1, 2, 2]], "noted"),
    "odd_count": ([[1, 1, 2, 2, 3]], "noted"),
    "text_points": ([["a", "b", "c", "d", "e", "f"]], "noted"),
    "far_points": ([[1e9, 1e9, 2e9, 1e9, 2e9, 2e9]], "works"),
    "nan_points": ([[float("nan")] * 6], "noted"),
    "number": (5, "refused"),
    "null": (None, "refused"),
    "text": ("mask.png", "refused"),
}
WORDS: dict[str, Expected] = {
    "masks": "works",
    "polarity=background": "works",
    "polarity=sideways": "refused",
    "polarity": "refused",
    "empty=keep": "works",
    "empty=perhaps": "refused",
    "source=web": "refused",  # one photo of six, which no split has room for
    "source!=web": "works",
    "nonsense=1": "refused",
    "=": "refused",
    ",": "works",
    "threshold=nan": "refused",
}


def cases() -> Iterator[Case]:
    """Give masks for every verb that reads them."""
    for name, (spoil, expect) in FILES.items():
        yield from _spoiled(
            f"data/mask/{name}", spoil, expect, ("row 2|p0_dog.png|p0.png#0",) if expect != "works" else (), verify=True
        )
    for name, (line, expect, says) in ROWS.items():
        yield from _spoiled(f"data/mask_row/{name}", _row(line), expect, says)
    for name, (region, expect) in REGIONS.items():
        yield from _coco(name, region, expect)
    for words, expect in WORDS.items():
        yield Case(
            f"data/mask_words/{words}",
            lambda b, words=words: Command(["data", f"{b.shared.masks}#{words}", "--json"]),
            expect,
        )


def _spoiled(
    name: str, spoil: Spoil, expect: Expected, says: tuple[str, ...], *, verify: bool = False
) -> Iterator[Case]:
    def data(bench: Bench) -> Path:
        folder = bench.masks()
        spoil(folder)
        return folder

    look = ["--verify"] if verify else []
    yield Case(f"{name}/data", lambda b: Command(["data", data(b), *look, "--json"]), expect, says=says)
    yield Case(f"{name}/check", lambda b: Command(["data", "check", data(b), "--json"]), "works")
    yield Case(
        f"{name}/fit",
        lambda b: Command(
            [
                "fit",
                "--data",
                data(b),
                "--recipe",
                b.shared.mask_recipe,
                "--epochs",
                1,
                "--out",
                b.out,
                "--json",
                "--quiet",
            ]
        ),
        expect,
        says=says,
    )


def _coco(name: str, region: Any, expect: Expected) -> Iterator[Case]:
    """One annotation with this region, among whole ones."""

    def data(bench: Bench) -> Path:
        folder = bench.masks()
        (folder / "pairs.csv").unlink()
        images = [{"id": n, "file_name": f"p{n}.png", "width": 40, "height": 30} for n in range(6)]
        marks = [
            {"id": n, "image_id": n, "category_id": 1, "segmentation": GOOD, "area": 7, "iscrowd": 0, "caption": "dog"}
            for n in range(6)
        ]
        marks.append({**marks[0], "id": 77, "segmentation": region, "caption": "cat"})
        plain = {"images": images, "annotations": marks, "categories": [{"id": 1, "name": "dog"}]}
        (folder / "instances.json").write_text(json.dumps(plain), encoding="utf-8")
        return folder

    says = ("annotations[6]|p0.png",) if expect != "works" else ()
    # What is no region at all is an error of the file, for the doctor as well.
    checked: Expected = "refused" if expect == "refused" else "works"
    yield Case(
        f"data/region/{name}/data", lambda b: Command(["data", data(b), "--verify", "--json"]), expect, says=says
    )
    yield Case(f"data/region/{name}/check", lambda b: Command(["data", "check", data(b), "--json"]), checked)
