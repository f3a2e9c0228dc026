"""What is said against a run is said wherever the run answers, and what was left out wherever data is read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from plait import api
from plait.core.errors import ConfigError
from tests.doctor.sick import healthy, sick
from tests.doors.conftest import Compared
from tests.doors.tools import call

Capture = pytest.CaptureFixture[str]
DID_NOT_TRAIN = "did not train: no better than a model that reads nothing"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def untrained(compared: Compared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a run whose record says that its figures are those of random answers."""
    run = tmp_path_factory.mktemp("untrained") / "run"
    shutil.copytree(compared.out / "runs" / "late-s0", run)
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    record["metrics"]["t2i_r1"] = 0.0
    for key in ("status", "flags"):  # as an earlier version wrote it
        record.pop(key)
    (run / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return run


def test_fit_says_that_it_did_not_train_as_compare_does(compared: Compared, tmp_path: Path, capsys: Capture) -> None:
    still = compared.recipe.read_text(encoding="utf-8").replace("lr = 3e-3", "lr = 1e-12")
    (tmp_path / "still.toml").write_text(still, encoding="utf-8")
    words = ["--data", compared.data, "--recipe", tmp_path / "still.toml", "--epochs", 1, "--quiet"]
    one = call(capsys, "fit", *words, "--seed", 3, "--out", tmp_path / "run")
    several = call(capsys, "compare", *words, "--seeds", "3,4", "--fusions", "late", "--out", tmp_path / "all")
    record = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    row = json.loads((tmp_path / "all" / "runs" / "late-s3" / "row.json").read_text(encoding="utf-8"))
    assert record["metrics"] == row["metrics"]
    assert record["status"] == row["status"] == "did not train"
    assert f"flag: {DID_NOT_TRAIN}" in one.out
    assert "did not train" in several.out


def test_match_repeats_what_its_run_says_against_it(untrained: Path, compared: Compared, capsys: Capture) -> None:
    photo = next((compared.data / "images").glob("*.png"))
    words = ["match", "--images", photo, "--texts", "a red square", "a blue one", "--run"]
    assert f"warning: this run has the flag {DID_NOT_TRAIN}" in call(capsys, *words, untrained).out
    assert call(capsys, *words, untrained, "--json").data["flags"] == ["did not train"]
    assert api.load_run(untrained).record["status"] == "did not train"


def test_evaluate_and_fit_agree_on_the_split(compared: Compared, tmp_path: Path, capsys: Capture) -> None:
    run = compared.out / "runs" / "late-s0"
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    told = call(capsys, "evaluate", run, "--data", compared.data, "--json", "--quiet").data
    assert told["split"] == record["data"]["split"] == "val"
    assert told["metrics"] == pytest.approx(record["metrics"])
    data = tmp_path / "with_test"
    shutil.copytree(compared.data, data)
    splits = json.loads((data / "splits.json").read_text(encoding="utf-8"))
    splits["val"], splits["test"] = splits["val"][:4], splits["val"][4:]
    (data / "splits.json").write_text(json.dumps(splits), encoding="utf-8")
    said = call(capsys, "evaluate", run, "--data", data, "--quiet").out
    assert "split test: 4 photos" in said
    assert "split val: 4 photos" in call(capsys, "evaluate", run, "--data", data, "--split", "val", "--quiet").out
    with pytest.raises(ConfigError, match="no split 'tests'"):
        api.evaluate(run, data, split="tests")


def test_commands_say_what_was_skipped(compared: Compared, tmp_path: Path, capsys: Capture) -> None:
    data, run = tmp_path / "data", compared.out / "runs" / "late-s0"
    shutil.copytree(compared.data, data)
    last = sorted((data / "images").iterdir())[-1]
    last.write_bytes(last.read_bytes()[:40])
    words = ["--data", data, "--quiet"]
    fitted = ["--recipe", compared.recipe, "--epochs", 1]
    said: dict[str, Any] = {
        "fit": call(capsys, "fit", *words, *fitted, "--out", tmp_path / "run").out,
        "evaluate": call(capsys, "evaluate", run, *words).out,
        "audit": call(capsys, "audit", run, *words, "--seeds", 1).out,
    }
    for command, text in said.items():
        assert "skipped: 1" in text, command
        assert last.name in text, command
    assert "skipped" not in call(capsys, "evaluate", run, "--data", compared.data, "--quiet").out
    skipped = call(capsys, "evaluate", run, *words, "--json").data["skipped"]
    assert [last.name in skip["where"] for skip in skipped] == [True]


def test_a_strict_check_of_data_fails_on_errors_and_says_so(tmp_path: Path, capsys: Capture) -> None:
    bad, good = sick(tmp_path / "sick"), healthy(tmp_path / "healthy")
    assert call(capsys, "data", "check", bad, "--quiet").code == 0
    answer = call(capsys, "data", "check", bad, "--quiet", "--strict")
    assert answer.code == 1
    assert "kinds of error, so under --strict the exit code is 1" in answer.err
    assert call(capsys, "data", "check", bad, "--json", "--quiet", "--strict").data["counts"]["error"] > 1
    answer = call(capsys, "data", "check", good, "--quiet", "--strict")
    assert (answer.code, answer.err) == (0, "")
    assert call(capsys, "data", good, "--strict").code == 2
