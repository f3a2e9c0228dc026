"""The ground that tests stand on: own cache, fixed seeds, tiny data, and reasons for what is skipped."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import pytest_collection_modifyitems
from tests.house.tree import ROOT
from tests.tiny import COLOURS


class Item:
    """Stand for a collected test with one mark."""

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self.added: list[pytest.MarkDecorator] = []

    def get_closest_marker(self, name: str) -> str | None:
        """Give the mark, if it has this name."""
        return self.mark if self.mark == name else None

    def add_marker(self, mark: pytest.MarkDecorator) -> None:
        """Take another mark."""
        self.added.append(mark)


def test_cache_and_network_are_kept_away_from_the_user(plait_cache: Path) -> None:
    assert os.environ["PLAIT_CACHE"] == str(plait_cache)
    assert Path(tempfile.gettempdir()).resolve() in plait_cache.resolve().parents
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert torch.get_num_threads() <= 2


@pytest.mark.parametrize("again", [1, 2])
def test_every_test_starts_from_the_same_seed(again: int) -> None:
    drawn = torch.rand(again + 1)[0].item()
    torch.manual_seed(0)
    assert drawn == torch.rand(again + 1)[0].item()
    assert np.random.random() == np.random.RandomState(0).random_sample()


def test_real_tests_skip_with_a_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def skips(data: str) -> list[str]:
        monkeypatch.setenv("PLAIT_DATA", data)
        real, other = Item("real"), Item("slow")
        pytest_collection_modifyitems([real, other])  # type: ignore[list-item]
        assert other.added == []
        return [mark.kwargs["reason"] for mark in real.added]

    assert skips("") == ["set PLAIT_DATA to the folder of the real data sets"]
    assert skips(str(tmp_path / "absent")) == [f"PLAIT_DATA={str(tmp_path / 'absent')!r} is no folder"]
    assert skips(str(tmp_path)) == []


def test_tiny_folder_shows_what_its_captions_say(tiny_folder: Callable[..., Path]) -> None:
    folder = tiny_folder(photos=10, captions=3)
    with (folder / "captions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 30
    assert len({row["caption"] for row in rows}) == 30
    front, back = re.findall("|".join(COLOURS), rows[-1]["caption"])
    with Image.open(folder / "images" / rows[-1]["image"]) as photo:
        assert photo.getpixel((12, 12)) == COLOURS[front]
        assert photo.getpixel((0, 0)) == COLOURS[back]


def test_ci_script_is_sound() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK), ".ci/run cannot be executed. Fix: chmod +x"
    done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = script.read_text(encoding="utf-8")
    assert "set -euo pipefail" in text
    assert [t for t in ("test", "lint", "test-slow", "test-real") if f"make {t}" not in text] == []
