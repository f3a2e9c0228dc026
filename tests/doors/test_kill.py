"""Killed at any moment, and the same command again: it goes on, and ends with the same numbers, bit for bit."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.doors.tools import TINY, environment, give_splits, spawn, write_recipe
from tests.tiny import make_tiny

pytestmark = pytest.mark.slow

# Frozen encoders from packages, so that there is something to cache: two shards of photos, two views. Checkpoints at
# every step.
FROZEN = f"{TINY}checkpoint_s = 0.001\n".replace('encoder = "words"\nmin_count = 1', 'encoder = "minilm"').replace(
    'encoder = "cnn_small"\nsize_px = 32', 'encoder = "efficientnet_lite2"\nsize_px = 64\nviews = ["full", "flip"]'
)
PHOTOS = 300


def command(folder: Path, out: Path, fusions: str = "late,cross", seeds: int = 1) -> list[str]:
    words = ["compare", "--data", folder / "squares", "--fusions", fusions, "--seeds", seeds]
    return [str(word) for word in (*words, "--recipe", folder / "tiny.toml", "--out", out)]


def killed(words: list[str], cache: Path, log: Path, moment: Callable[[str], bool], *, after_s: float) -> bool:
    """Start a command, wait until its log says that the moment has come and a little longer, and kill it outright.

    Returns: whether it was still running.
    """
    with log.open("wb") as told:
        process = subprocess.Popen(
            [sys.executable, "-m", "plait", *words], stdout=told, stderr=told, env=environment(cache)
        )
    try:
        until = time.monotonic() + 200
        while not moment(log.read_text(encoding="utf-8", errors="replace")) and process.poll() is None:
            assert time.monotonic() < until, log.read_text(encoding="utf-8", errors="replace")
            time.sleep(0.01)
        time.sleep(after_s)
        alive = process.poll() is None
        process.kill()
    finally:
        process.wait()
    return alive


def results(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "results.json").read_text(encoding="utf-8"))
    return found


def same_numbers(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Hold two results against each other: all but times and memory."""
    for mine, yours in zip(ours["rows"], theirs["rows"], strict=True):
        assert mine["run"] == yours["run"]
        assert mine["metrics"] == yours["metrics"]
        assert [(e["epoch"], e["loss"]) for e in mine["curve"]] == [(e["epoch"], e["loss"]) for e in yours["curve"]]
    assert ours["tests"] == theirs["tests"]
    assert ours["verdict"] == theirs["verdict"]
    for mine, yours in zip(ours["summary"], theirs["summary"], strict=True):
        assert {k: v for k, v in mine.items() if isinstance(v, dict)} == {
            k: v for k, v in yours.items() if isinstance(v, dict)
        }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with data and recipe, and what the undisturbed command made of them in `whole`."""
    folder = tmp_path_factory.mktemp("kill")
    give_splits(make_tiny(folder / "squares", photos=PHOTOS, captions=1, side_px=48), 60)
    write_recipe(folder, FROZEN)
    answer = spawn(*command(folder, folder / "whole"), cache=folder / "whole-cache")
    assert answer.code == 0, answer.err
    return folder


def shards(cache: Path) -> Callable[[str], bool]:
    return lambda _: len(list(cache.rglob("*.safetensors"))) >= 2


def test_killed_amid_caching_training_and_comparing(folder: Path) -> None:
    out, cache, log = folder / "killed", folder / "killed-cache", folder / "log"
    words = command(folder, out)
    draw = random.Random(4)
    moments: list[tuple[str, Callable[[str], bool]]] = [
        ("before anything", lambda _: True),
        ("caching", lambda _: cache.is_dir() and any(cache.rglob("key.json"))),
        ("shards", shards(cache)),
        ("first epoch", lambda told: (out / "runs" / "late-s0" / "state.safetensors").exists()),
        ("second epoch", lambda told: "late, seed 0: epoch 1/2" in told or "late, seed 0: epoch 2/2" in told),
        ("other run", lambda told: (out / "runs" / "cross-s0" / "state.safetensors").exists()),
        ("scoring", lambda told: "cross, seed 0: epoch 2/2" in told),
        ("writing", lambda told: (out / "runs" / "cross-s0" / "weights.safetensors").exists()),
    ]
    hits = [name for name, moment in moments if killed(words, cache, log, moment, after_s=draw.random() * 0.15)]
    assert len(hits) >= 5, f"only these were in time: {hits}"
    answer = spawn(*words, cache=cache)
    assert answer.code == 0, answer.err
    same_numbers(results(out), results(folder / "whole"))
    left = [path.name for path in out.rglob("state.safetensors")]
    assert left == []


def test_killed_at_random_moments(folder: Path) -> None:
    out, cache, log = folder / "random", folder / "random-cache", folder / "log"
    words, draw, kills = command(folder, out), random.Random(7), 0
    for _ in range(5):
        kills += killed(words, cache, log, lambda _: True, after_s=draw.uniform(2.0, 9.0))
    answer = spawn(*words, cache=cache)
    assert answer.code == 0, answer.err
    assert kills >= 1
    same_numbers(results(out), results(folder / "whole"))


def test_more_fusions_and_seeds_leave_what_is_finished(folder: Path) -> None:
    out, cache = folder / "grown", folder / "whole-cache"
    assert spawn(*command(folder, out, "late"), cache=cache).code == 0
    weights = out / "runs" / "late-s0" / "weights.safetensors"
    before, content = weights.stat().st_mtime_ns, weights.read_bytes()
    assert spawn(*command(folder, out, "cross"), cache=cache).code == 0
    assert [row["run"] for row in results(out)["rows"]] == ["runs/cross-s0", "runs/late-s0"]
    answer = spawn(*command(folder, out, "late,cross", seeds=2), cache=cache)
    assert answer.code == 0, answer.err
    grown = results(out)
    assert [(row["fusion"], row["seed"]) for row in grown["rows"]] == [
        ("late", 0),
        ("cross", 0),
        ("late", 1),
        ("cross", 1),
    ]
    assert weights.stat().st_mtime_ns == before
    assert weights.read_bytes() == content
    assert [entry["seeds"] for entry in grown["summary"]] == [2, 2]
    first = [row["metrics"] for row in grown["rows"] if row["seed"] == 0]
    assert first == [row["metrics"] for row in results(folder / "whole")["rows"]]
