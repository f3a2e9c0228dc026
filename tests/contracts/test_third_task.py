"""A task from outside: one folder, one line in the table, and every verb works on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import plait
from plait.cli import main
from plait.core.errors import InputError, MissingVerbError
from plait.tasks import TASKS
from tests.contracts.count.data import make_scenes, number_in
from tests.tiny import make_tiny

RECIPE = """
task = "count"

[text]
encoder = "words"
min_count = 1

[image]
encoder = "cnn_small"
size_px = 32

[fusion]
name = "film"
width = 16
options = { heads = 2 }

[variants.concat]
options = { heads = 2, layers = 1 }

[train]
epochs = 30
batch_size = 8
lr = 5e-3
encoder_lr = 5e-3
"""


@pytest.fixture(autouse=True)
def third_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one line."""
    monkeypatch.setitem(TASKS, "count", "tests.contracts.count:TASK")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data and a recipe, as a user has them."""
    folder = make_scenes(tmp_path_factory.mktemp("count") / "data")
    (folder / "count.toml").write_text(RECIPE, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def run(scenes: Path) -> Path:
    """A fitted run of the task."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TASKS, "count", "tests.contracts.count:TASK")
        record = plait.fit(scenes, scenes / "run", recipe=scenes / "count.toml").record
    assert record["count"]["numbers"]
    return scenes / "run"


def test_it_learns_evaluates_and_predicts_in_python(scenes: Path, run: Path) -> None:
    found = plait.evaluate(run, scenes, split="val")
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert found.metrics["accuracy"] == pytest.approx(record["metrics"]["accuracy"])
    assert found.metrics["accuracy"] > found.metrics["accuracy_most_common"]
    assert all(set(point) >= {"accuracy", "loss"} for point in record["curve"])
    photos = sorted((scenes / "images").glob("*.png"))[:12]
    model = plait.load(run)
    right = sum(model.count(photo) == number_in(photo.name) for photo in photos)
    assert right > len(photos) / 2
    assert plait.count(photos[0], run=run) == model.count(photos[0])
    assert "count" in dir(plait)
    with pytest.raises(MissingVerbError, match=r"'count'.*'match'"):
        model.match([photos[0]], ["a thing"])


def test_it_is_compared_reported_and_audited(scenes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = scenes / "compared"
    words = ["compare", "--data", str(scenes), "--recipe", str(scenes / "count.toml"), "--fusions", "film,concat"]
    assert main([*words, "--seeds", "2", "--epochs", "4", "--out", str(out), "--quiet"]) == 0
    said = capsys.readouterr().out
    assert "Right" in said
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert {entry["fusion"] for entry in results["summary"]} == {"film", "concat"}
    assert {test["metric"] for test in results["tests"]} == {"accuracy"}
    assert "counting accuracy" in results["verdict"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Most common number" in page
    assert main(["report", str(out)]) == 0
    assert main(["audit", str(out / "runs" / "film-s0"), "--data", str(scenes), "--quiet"]) == 1
    assert "not audited" in capsys.readouterr().err


def test_the_command_line_knows_it(scenes: Path, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = sorted((scenes / "images").glob("*.png"))[0]
    assert main(["count", str(photo), "--run", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["count"] in (1, 2, 3, 4)
    words = ["fit", "--data", str(scenes), "--recipe", str(scenes / "count.toml"), "--out", str(run), "--quiet"]
    assert main(words) == 0
    assert "Right" in capsys.readouterr().out
    assert main(["evaluate", str(run), "--data", str(scenes), "--quiet"]) == 0
    assert "Right" in capsys.readouterr().out
    assert main(["list", "tasks"]) == 0
    assert "say how many things" in capsys.readouterr().out
    assert main(["package", str(run), "--out", str(scenes / "small")]) == 0
    assert "counts things" in (scenes / "small" / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_data_of_another_question_is_refused(scenes: Path, tmp_path: Path) -> None:
    other = make_tiny(tmp_path / "other")
    with pytest.raises(InputError, match="does not end with a number"):
        plait.fit(other, tmp_path / "run", recipe=scenes / "count.toml")
    assert not (tmp_path / "run").exists()
