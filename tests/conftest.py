"""What every test stands on: two threads at most, fixed seeds, no network, its own cache, tiny data."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

# Before torch is imported by anyone: threads that spin while they wait slow a shared machine up to ten times.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np
import pytest
import torch
from PIL import Image

TinyFolder = Callable[..., Path]

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


def pytest_configure(config: pytest.Config) -> None:
    """Fix how many threads torch takes: timings and sums are then the same alone and beside other work."""
    torch.set_num_threads(min(2, os.cpu_count() or 1))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests on real data where there is none, and say how to give it."""
    where = os.environ.get("PLAIT_DATA", "")
    if where and Path(where).is_dir():
        return
    reason = f"PLAIT_DATA={where!r} is no folder" if where else "set PLAIT_DATA to the folder of the real data sets"
    for item in items:
        if item.get_closest_marker("real"):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session", autouse=True)
def plait_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Point `PLAIT_CACHE` at a folder of this run, so that no test reads or fills the user's cache."""
    folder = tmp_path_factory.mktemp("plait-cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLAIT_CACHE", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Start every test from the same random state, whatever ran before it."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Give the folder of the real data sets; only for tests marked `real`."""
    return Path(os.environ["PLAIT_DATA"])


@pytest.fixture
def tiny_folder(tmp_path: Path) -> TinyFolder:
    """Give a maker of small data folders: images/*.png, captions.csv (image,caption), made splits left to the reader.

    Called as `tiny_folder(photos=8, captions=2, side_px=24)`; photo i shows one square of one colour on another,
    caption j of it says so in the j-th of a few wordings.
    """

    def make(name: str = "tiny", *, photos: int = 8, captions: int = 2, side_px: int = 24) -> Path:
        folder = tmp_path / name
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

    return make
