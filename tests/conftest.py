"""What every test stands on: two threads at most, fixed seeds, no network, its own cache, tiny data."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

# Before torch is imported by anyone: threads that spin while they wait slow a shared machine up to ten times.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Two processes of one thread each (`make test`), or one of two.
os.environ["OMP_NUM_THREADS"] = "1" if "PYTEST_XDIST_WORKER" in os.environ else "2"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np
import pytest
import torch

from tests.tiny import make_tiny

TinyFolder = Callable[..., Path]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the campaign's options; see tests/campaign."""
    parser.addoption(
        "--campaign", default="80", help="inputs of the campaign: how many, drawn by seed, or all, or an id's beginning"
    )
    parser.addoption("--campaign-out", default="", metavar="DIR", help="write a table of outcomes into this folder")


def pytest_configure(config: pytest.Config) -> None:
    """Fix how many threads torch takes: timings and sums are then the same alone and beside other work."""
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


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
        return make_tiny(tmp_path / name, photos=photos, captions=captions, side_px=side_px)

    return make
