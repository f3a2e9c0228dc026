"""Python and the command line are doors to the same verbs: the same numbers through both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import plait
from plait.metrics.intervals import intervals
from tests.doors.conftest import Compared
from tests.doors.tools import call


def test_compare(compared: Compared, tmp_path: Path) -> None:
    found = plait.compare(compared.data, tmp_path / "out", fusions=["late", "cross"], seeds=1, recipe=compared.recipe)
    assert found.failed == 0
    ours = [(row["fusion"], row["metrics"]) for row in found.results["rows"]]
    assert ours == [(row["fusion"], row["metrics"]) for row in compared.results["rows"]]
    assert found.results["verdict"] == compared.results["verdict"]
    assert found.results["tests"] == compared.results["tests"]
    assert [e["t2i_r1"] for e in found.results["summary"]] == [e["t2i_r1"] for e in compared.results["summary"]]
    assert "plait compare --data" in found.results["command"]


def test_evaluate(compared: Compared, capsys: pytest.CaptureFixture[str]) -> None:
    run = compared.out / "runs" / "cross-s0"
    found = plait.evaluate(run, compared.data)
    told = call(capsys, "evaluate", run, "--data", compared.data, "--json", "--quiet").data
    assert told["metrics"] == found.metrics
    assert told["intervals"] == intervals(found)


@pytest.mark.parametrize("fusion", ["late", "cross"])
def test_match(compared: Compared, capsys: pytest.CaptureFixture[str], fusion: str) -> None:
    run = compared.out / "runs" / f"{fusion}-s0"
    photos = sorted((compared.data / "images").iterdir())[:4]
    texts = ["a red square on green", "blue in front of yellow", "white"]
    found = plait.load(run).match(photos, texts)
    told = call(capsys, "match", "--run", run, "--images", *photos, "--texts", *texts, "--json").data
    assert found.scores.shape == (4, 3)
    assert (np.array(told["scores"], dtype=np.float32) == found.scores).all()
    assert told["score_kind"] == found.score_kind
    again = plait.match(photos, texts, run=run)
    assert (again.prob_text == found.prob_text).all()


def test_describe_and_list(compared: Compared, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "data", compared.data, "--json").data == plait.describe(plait.open_data(compared.data))
    assert call(capsys, "list", "fusions", "--json").data == plait.list_names("fusions")
