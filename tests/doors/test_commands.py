"""The command line's wiring: options reach the verbs, tasks bring commands, and no task is named."""

from __future__ import annotations

import sys
import warnings
from argparse import ArgumentParser, Namespace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import plait
import plait.tasks
from plait.core.evaluation import Evaluation, Measured
from plait.core.metric import Metric
from plait.core.recipe.renamed import RenamedWarning
from plait.task import Answer, Card, Task, Terminal
from tests.doors.tools import call

Capture = pytest.CaptureFixture[str]
METRIC = Metric(key="off_by", label="counting error", column="Off by", unit="", headline=True)
DATA = {"name": "apples", "split": "val", "photos": 2, "captions": 3}
CARD = Card(does="It counts.", scores=lambda record: "", limits="", metrics=("off_by",))


class CountCommand:
    """`plait count`: a command of a task that nobody knows."""

    name = "count"
    help = "count things"

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what")

    def run(self, arguments: Namespace, api: Any, listener: Any) -> Answer:
        if arguments.what == "nothing":
            return Answer(None, "there is nothing to count", 2)
        return Answer({"what": arguments.what, "device": arguments.device}, f"3 {arguments.what}")


COUNT = CountCommand()
TERMINAL = Terminal(
    items="questions",
    run=lambda metrics: [f"off by {metrics['off_by']}"],
    board=lambda results: ["the board", results["verdict"]],
)
TASK = Task(
    name="count",
    summary="count things",
    metrics=(METRIC,),
    objective="squares",
    serves=lambda kind, entry: kind == "head",
    recipe_for=lambda collection: None,
    verb="count",
    work="",
    page="",
    terminal=f"{__name__}:TERMINAL",
    card=f"{__name__}:CARD",
    commands=(f"{__name__}:COUNT",),
)


class FakeApi(SimpleNamespace):
    """Verbs that write down how they were called."""

    def __init__(self) -> None:
        super().__init__(calls=[], silent=lambda event: None)

    def __getattr__(self, verb: str) -> Any:
        def called(*given: Any, **named: Any) -> Any:
            self.calls.append((verb, given, named))
            return ANSWERS[verb]

        if verb not in ANSWERS:
            raise AttributeError(verb)
        return called

    def named(self, verb: str) -> dict[str, Any]:
        """Give the keyword arguments of the one call of a verb."""
        (found,) = [named for name, _, named in self.calls if name == verb]
        return dict(found)


RECIPE = {"task": "count", "fusion": {"name": "late"}, "train": {"seed": 4}}
RECORD = {"data": DATA, "recipe": RECIPE, "metrics": {"off_by": 1.5}, "params": 1234, "train_s": 2.0, "step_ms": 3.0}
COMPARED = SimpleNamespace(results={"task": "count", "verdict": "So."}, folder=Path("out"), failed=False)
MEASURED = Measured(METRIC, 1.5, np.array([1.0, 2.0]), np.ones(2))
EVALUATION = Evaluation("val", (0, 1), (0, 1, 2), (MEASURED,), "count", details={"of": 3})
AUDIT = SimpleNamespace(
    flags=("leaky",),
    to_json=lambda: {
        "fusion": "late",
        "tokens": "tokens",
        "pairing": "all",
        "influence": {name: {"text": 0.5, "image": 1.0} for name in ("image_out", "text_out", "score")},
        **dict.fromkeys(("noise_accuracy", "chance", "bound", "partner_influence"), 5.0),
        "batch": 24,
        "seeds": 20,
        "single_key": False,
        "dead_parameters": [],
        "flags": ["leaky"],
        "verdict": "It leaks.",
        "data": {"photos": 9, "split": "val", "bound": 7.0, "whole": {"off_by": 1.0}, "ablations": {"blind": {}}},
    },
)
ANSWERS: dict[str, Any] = {
    "open_data": "collection",
    "load_run": "run",
    "verify": SimpleNamespace(skipped=(SimpleNamespace(where="a.jpg", reason="cut off"),)),
    "fit": SimpleNamespace(record=RECORD),
    "compare": COMPARED,
    "requested_by": COMPARED,
    "evaluate": EVALUATION,
    "audit": AUDIT,
    "package": {"out": "small", "bytes": 2**20},
    "report": Path("out/report.html"),
}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """Put verbs that compute nothing in place of the real ones, and a task of our own in the table."""
    fake = FakeApi()
    monkeypatch.setitem(sys.modules, "plait.api", fake)  # type: ignore[arg-type]
    monkeypatch.setattr(plait, "api", fake, raising=False)
    monkeypatch.setitem(plait.tasks.TASKS, "count", f"{__name__}:TASK")
    return fake


def test_fit_hands_its_options_on(api: FakeApi, capsys: Capture, tmp_path: Path) -> None:
    words = ["fit", "--data", "D", "--seed", 4, "--device", "cuda", "--devices", 2, "--pairing", "all", "--quiet"]
    words += ["--fusion", "late", "--epochs", 3, "--limit", 9]
    answer = call(capsys, *words, "--out", tmp_path)
    assert answer.code == 0
    named = api.named("fit")
    assert (named["device"], named["devices"], named["pairing"], named["tokens"]) == ("cuda", 2, "all", None)
    assert (named["fusion"], named["epochs"], named["seed"], named["limit"]) == ("late", 3, 4, 9)
    assert "2 photos, 3 questions, seed 4" in answer.out
    assert "off by 1.5" in answer.out


def test_compare_shows_the_board_of_its_task(api: FakeApi, capsys: Capture) -> None:
    answer = call(capsys, "compare", "--data", "D", "--fusions", "late", "--out", "out", "--device", "cpu", "--quiet")
    assert answer.code == 0
    assert answer.out == f"the board\nSo.\n\nreport: {Path('out') / 'report.html'}\n"
    assert api.named("compare")["device"] == "cpu"
    assert [verb for verb, _, _ in api.calls][-1] == "requested_by"


def test_evaluate_gives_details_under_the_name_of_the_task(
    api: FakeApi, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    interval = {"off_by": {"mean": 1.5, "low": 1.0, "high": 2.0}}
    monkeypatch.setattr("plait.metrics.intervals.intervals", lambda evaluation: interval)
    answer = call(capsys, "evaluate", "RUN", "--data", "D", "--json", "--quiet")
    assert answer.data == {
        "run": "RUN",
        "split": "val",
        "photos": 2,
        "captions": 3,
        "score_kind": "count",
        "flags": [],
        "skipped": [{"where": "a.jpg", "reason": "cut off"}],
        "metrics": {"off_by": 1.5},
        "intervals": interval,
        "count": {"of": 3},
    }
    assert api.named("evaluate")["device"] == "auto"
    shown = call(capsys, "evaluate", "RUN", "--data", "D", "--quiet").out
    assert "2 photos, 3 questions" in shown
    assert shown.splitlines()[-3].split() == ["Off", "by", "1.5", "1", "to", "2"]
    assert shown.splitlines()[-2:] == ["skipped: 1", "  a.jpg: cut off"]


def test_audit_is_headed_by_the_metrics_it_has(api: FakeApi, capsys: Capture) -> None:
    answer = call(capsys, "audit", "RUN", "--data", "D", "--strict", "--quiet")
    assert answer.code == 1
    assert [line.split() for line in answer.out.splitlines() if line.startswith(("scored", "as trained"))] == [
        ["scored", "with", "Off", "by"],
        ["as", "trained", "1"],
    ]
    assert api.named("audit")["device"] == "auto"


def test_tasks_bring_commands(api: FakeApi, capsys: Capture) -> None:
    assert call(capsys, "count", "apples").out == "3 apples\n"
    assert call(capsys, "count", "apples", "--json", "--device", "mps").data == {"what": "apples", "device": "mps"}
    answer = call(capsys, "count", "nothing")
    assert (answer.code, answer.out, answer.err) == (2, "", "plait count: there is nothing to count\n")
    assert "count things" in call(capsys, "--help").out


def test_lists_ask_the_tasks(api: FakeApi, capsys: Capture) -> None:
    tasks = {row["name"]: row for row in call(capsys, "list", "tasks", "--json").data}
    assert tasks["count"]["objective"] == "squares"
    assert all("count" in row["tasks"] for row in call(capsys, "list", "heads", "--json").data)
    assert all("count" not in row["tasks"] for row in call(capsys, "list", "fusions", "--json").data)


@pytest.mark.parametrize(
    "words", [("compare", "--fusions", "late", "--out", "o"), ("evaluate", "RUN"), ("audit", "RUN")]
)
def test_several_devices_are_for_training(api: FakeApi, capsys: Capture, words: tuple[str, ...]) -> None:
    answer = call(capsys, *words, "--data", "D", "--devices", 2)
    assert answer.code == 2
    assert "--devices" in answer.err
    assert api.calls == []


def test_export_says_its_new_name(api: FakeApi, capsys: Capture) -> None:
    answer = call(capsys, "export", "RUN", "--out", "small")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "plait: `plait export` is called `plait package` now\n"
    assert call(capsys, "package", "RUN", "--out", "small").out == "small: 1.0 MiB, with a model card\n"


def test_renamed_keys_are_one_line_each(api: FakeApi, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def warn(*given: Any) -> Path:
        for _ in range(2):
            warnings.warn("recipe r: old is called new now", RenamedWarning, stacklevel=1)
        return Path("out/report.html")

    monkeypatch.setattr(api, "report", warn, raising=False)
    answer = call(capsys, "report", "out", "--json")
    assert answer.err == "plait: note: recipe r: old is called new now\n"
    assert answer.data == {"report": str(Path("out/report.html"))}


def test_the_command_line_names_no_task() -> None:
    """Names of tasks stand in no string of the command line, but for what is not one: the option --match."""
    folder = Path(plait.__file__).parent / "cli"
    for path in sorted(folder.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        named = [f'"{name}"' for name in plait.tasks.TASKS if f'"{name}"' in text]
        assert not named, f"{path.name} names {named}; ask the task instead"
        assert "plait.tasks." not in text, f"{path.name} imports a task"
