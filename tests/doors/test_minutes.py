"""`--minutes`: fit and compare train what fits, say so, and go on with what they decided."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plait.compare import plan
from plait.core.made import figures_of
from plait.runs import time_limit
from plait.runs.time_limit import Cost
from tests.doors.conftest import Compared
from tests.doors.tools import call

Capture = pytest.CaptureFixture[str]
pytestmark = pytest.mark.slow


def costs(monkeypatch: pytest.MonkeyPatch, epoch_s: float) -> list[str]:
    """Let measured times say that an epoch, of 6 steps, takes so long; gives the fusions that were measured."""
    seen: list[str] = []
    real = time_limit.measure

    def measure(recipe: Any, *given: Any, **named: Any) -> Cost:
        seen.append(recipe.fusion.name)
        found = real(recipe, *given, **named)
        assert found.step_s > 0
        assert found.ends_s > 0
        return Cost(found.steps_per_epoch, found.steps, epoch_s / found.steps_per_epoch, 0.0, 0.0)

    monkeypatch.setattr(time_limit, "measure", measure)
    return seen


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_a_fit_trains_what_fits_and_its_schedule_ends(
    compared: Compared, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = costs(monkeypatch, 1000.0)
    words = ["fit", "--data", compared.data, "--recipe", compared.recipe, "--quiet"]
    limited = ["--minutes", 30, "--out", tmp_path / "run"]
    answer = call(capsys, *words, *limited)
    assert answer.code == 0
    assert "1 of 2 epochs were trained: what was estimated to fit into 30 minutes." in answer.out
    record = read(tmp_path / "run" / "run.json")
    assert record["recipe"]["train"]["epochs"] == len(record["curve"]) == 1
    assert record["limit"]["epochs"] == 1
    assert call(capsys, *words, *limited).code == 0
    assert seen == ["late"], "the same command goes on with what was decided"
    # one epoch asked for is the same training: the schedule is not that of two epochs, cut
    assert call(capsys, *words, "--epochs", 1, "--out", tmp_path / "one").code == 0
    one = read(tmp_path / "one" / "run.json")
    assert one["metrics"] == record["metrics"]
    assert one["files"] == record["files"]
    assert call(capsys, *words, "--minutes", 60, "--out", tmp_path / "run").code == 1
    assert call(capsys, *words, "--minutes", 1, "--out", tmp_path / "short").code == 1
    assert not (tmp_path / "short").exists()
    assert call(capsys, *words, "--minutes", 0, "--out", tmp_path / "short").code == 2


def test_a_comparison_gives_all_runs_the_same_and_says_so(
    compared: Compared, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = costs(monkeypatch, 600.0)
    monkeypatch.setattr(plan, "decide", time_limit.decide)
    out = tmp_path / "out"
    words = ["compare", "--data", compared.data, "--recipe", compared.recipe, "--fusions", "late,cross", "--quiet"]
    words += ["--seeds", 1, "--out", out]
    assert call(capsys, *words, "--minutes", 15).code == 1, "not even an epoch of both fits"
    assert not out.exists()
    answer = call(capsys, *words, "--minutes", 30)
    assert answer.code == 0
    results = read(out / "results.json")
    sentence = "1 of 2 epochs were trained: what was estimated to fit into 30 minutes."
    assert sentence in answer.out
    assert sentence in (out / "report.html").read_text(encoding="utf-8")
    assert results["verdict_parts"]["warnings"][0] == results["limit"]["sentence"] == sentence
    assert [len(row["curve"]) for row in results["rows"]] == [1, 1]
    assert seen == ["late", "cross"] * 2
    assert call(capsys, *words, "--minutes", 30).code == 0
    assert len(seen) == 4
    assert figures_of(read(out / "results.json")) == figures_of(results)
    assert "another budget" in call(capsys, *words).err
