"""Two runs of one command: what they say is equal to the byte, but for how it was made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plait.core.made import MADE, joined
from tests.doors.conftest import Compared
from tests.doors.tools import call

pytestmark = pytest.mark.slow


def figures(path: Path) -> bytes:
    """Give the file's bytes before what was made of them: "made" is the last key."""
    text = path.read_bytes()
    before, found, _ = text.partition(b'\n "made": {')
    assert found, f"{path} does not say how its figures were made"
    return before


def test_two_runs_of_one_command_give_equal_figures(
    compared: Compared, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["compare", "--data", compared.data, "--fusions", "late,cross", "--seeds", "1"]
    answer = call(capsys, *command, "--recipe", compared.recipe, "--out", tmp_path / "again", "--quiet")
    assert answer.code == 0
    names = ["results.json", "runs/late-s0/run.json", "runs/cross-s0/run.json"]
    for name in names:
        assert figures(compared.out / name) == figures(tmp_path / "again" / name), name
    made = [json.loads((out / "results.json").read_text())[MADE] for out in (compared.out, tmp_path / "again")]
    assert made[0] != made[1]
    assert made[1]["command"].startswith("plait ")
    assert [row["train_s"] > 0 for row in made[1]["rows"]] == [True, True]


def test_results_and_runs_of_earlier_versions_open(
    compared: Compared, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = json.loads((compared.out / "results.json").read_text(encoding="utf-8"))
    older: dict[str, Any] = joined(written)
    assert MADE not in older
    assert older["rows"][0]["train_s"] > 0
    (tmp_path / "results.json").write_text(json.dumps(older), encoding="utf-8")
    assert call(capsys, "report", tmp_path).code == 0
    assert "step_ms" in older["summary"][0]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert older["versions"]["processor"] in page
    assert older["command"].split()[1] in page
