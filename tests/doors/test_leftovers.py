"""A run killed in the middle of writing its state leaves an unfinished file, which is gone when it goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from plait.core.made import figures_of
from tests.doors.tools import call, environment, give_splits, write_recipe
from tests.tiny import make_tiny

pytestmark = pytest.mark.slow

# The second state is written to its end, but never put in its place.
HANGS = """
import os, sys, time
from plait.cli import main
from plait.core import files

class Hanging:
    states = 0

    def __getattr__(self, name):
        return getattr(os, name)

    def fsync(self, number):
        os.fsync(number)
        Hanging.states += os.fstat(number).st_size > 50_000
        if Hanging.states == 2:
            print("written", flush=True)
            time.sleep(600)

files.os = Hanging()
sys.exit(main(sys.argv[1:]))
"""


def leftovers(run: Path) -> list[Path]:
    return sorted(run.glob(".*.tmp"))


@pytest.mark.parametrize("again", ["resumed", "anew"])
def test_what_a_killed_run_left_is_removed(again: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, recipe = give_splits(make_tiny(tmp_path / "squares", photos=24)), write_recipe(tmp_path)
    words = [str(word) for word in ("fit", "--data", data, "--recipe", recipe, "--quiet", "--out")]
    run = tmp_path / "run"
    command = [sys.executable, "-c", HANGS, *words, str(run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(), text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "written\n"
        finally:
            process.kill()
    (left,) = leftovers(run)
    state = run / "state.safetensors"
    assert left.stat().st_size > 50_000
    old = run / f".state.safetensors.{process.pid}.{'0' * 32}.tmp"  # as earlier versions called it
    old.write_bytes(left.read_bytes())
    if again == "anew":
        state.unlink()
    assert call(capsys, *words, run).code == 0
    assert leftovers(run) == []
    assert not state.exists()
    assert call(capsys, *words, tmp_path / "whole").code == 0
    ours, theirs = (json.loads((path / "run.json").read_text()) for path in (run, tmp_path / "whole"))
    assert figures_of(ours) == figures_of(theirs)
