"""What the tests of the doors share: a recipe that trains in a second, splits, and a way to run a command."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from plait.cli import main

__all__ = ["TINY", "Answer", "call", "call_quietly", "environment", "give_splits", "spawn", "write_recipe"]

TINY = """
task = "match"

[text]
encoder = "words"
min_count = 1
max_tokens = 12

[image]
encoder = "cnn_small"
size_px = 32

[fusion]
name = "late"
width = 32
rerank_k = 4

[variants.cross]
options = { layers = 1, heads = 2 }

[train]
epochs = 2
batch_size = 8
lr = 3e-3
encoder_lr = 3e-3
"""


class Answer(NamedTuple):
    """What a command gave: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


def write_recipe(folder: Path, text: str = TINY, name: str = "tiny") -> Path:
    """Write a recipe beside the data and give its path."""
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def give_splits(folder: Path, held_out: int = 8) -> Path:
    """Write a splits.json that holds the last photos out as "val", and give the folder back."""
    names = sorted(path.name for path in (folder / "images").iterdir())
    splits = {"train": names[:-held_out], "val": names[-held_out:]}
    (folder / "splits.json").write_text(json.dumps(splits), encoding="utf-8")
    return folder


def call(capsys: pytest.CaptureFixture[str], *words: object) -> Answer:
    """Run a command in this process; whatever it raises but its exit is a failure of the door."""
    capsys.readouterr()
    try:
        code = main([str(word) for word in words])
    except SystemExit as stop:
        code = int(stop.code or 0)
    out, err = capsys.readouterr()
    assert "Traceback" not in err, err
    return Answer(code, out, err)


def spawn(*words: object, cache: Path | None = None, cwd: Path | None = None) -> Answer:
    """Run a command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "plait", *map(str, words)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment(cache),
        cwd=cwd,
        timeout=300,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def environment(cache: Path | None = None) -> dict[str, str]:
    """Give the environment of a command: this one's, with a cache of its own if asked."""
    return {**os.environ, **({"PLAIT_CACHE": str(cache)} if cache else {}), "PYTHONIOENCODING": "utf-8"}


def call_quietly(*words: object) -> int:
    """Run a command in this process, throw away what it prints, and give its exit code."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return main([str(word) for word in words])
