"""Listeners of other tools: what they are given, by stand-ins for the tools, and TensorBoard's own files."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from plait.core.config import TrainSettings
from plait.core.errors import MissingPackageError, UnknownNameError
from plait.train.events import Event, several
from plait.train.fit import Trainer
from plait.train.listeners import LISTENERS, open_logs
from plait.train.listeners.tensorboard import TensorBoardLog
from plait.train.listeners.wandb import WandbLog
from tests.train.toys import toy_feed, toy_learner

EVENTS = [
    Event("verify", "photos", 1, 2),
    Event("encode", "images", 1, 2),
    Event("run", "late-s0", 0, 2),
    Event("step", "late, seed 0", 1, 4, {"loss": 2.5, "epoch": 1}),
    Event("step", "late, seed 0", 2, 4, {"loss": 1.5, "epoch": 1}),
    Event("epoch", "late, seed 0", 1, 2, {"epoch": 1, "loss": 2.0, "seconds": 9.0, "t2i_r1": 12.5}),
    Event("step", "late, seed 0: scoring val", 10, 20),
    Event("note", "late, seed 0", data={"resumed_at_step": 3}),
    Event("evaluate", "late, seed 0", 1, 1, {"t2i_r1": 20.0, "note": "words"}),
    Event("step", "cross/v1, seed 0", 1, 4, {"loss": 3.5, "epoch": 1}),
]
# run -> (names and figures, step)
LOGGED = {
    "late, seed 0": [
        ({"train/loss": 2.5}, 1),
        ({"train/loss": 1.5}, 2),
        ({"epoch/loss": 2.0, "epoch/t2i_r1": 12.5}, 2),
        ({"result/t2i_r1": 20.0}, 2),
    ],
    "cross/v1, seed 0": [({"train/loss": 3.5}, 1)],
}


class FakeRun:
    """A run of wandb that remembers."""

    def __init__(self, **how: Any) -> None:
        self.how, self.logged, self.finished = how, [], False  # type: ignore[var-annotated]

    def log(self, figures: dict[str, float], *, step: int) -> None:
        assert not self.finished
        self.logged.append((figures, step))

    def finish(self) -> None:
        self.finished = True


class FakeWriter:
    """TensorBoard's writer, which remembers."""

    made: ClassVar[list[FakeWriter]] = []

    def __init__(self, *, log_dir: str) -> None:
        self.log_dir, self.scalars, self.closed = log_dir, [], False  # type: ignore[var-annotated]
        FakeWriter.made.append(self)

    def add_scalar(self, name: str, value: float, step: int) -> None:
        assert not self.closed
        self.scalars.append((name, value, step))

    def close(self) -> None:
        self.closed = True


def test_wandb_gets_a_run_for_each_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[FakeRun] = []
    fake = SimpleNamespace(init=lambda **how: runs.append(FakeRun(**how)) or runs[-1])
    monkeypatch.setitem(sys.modules, "wandb", fake)  # type: ignore[arg-type]
    with WandbLog(tmp_path / "w", project="mine") as log:
        assert not (tmp_path / "w").exists(), "nothing is written before a run begins"
        for event in EVENTS:
            log(event)
        assert [run.finished for run in runs] == [True, False]
    assert all(run.finished for run in runs)
    assert {run.how["name"]: run.logged for run in runs} == LOGGED
    assert {run.how["project"] for run in runs} == {"mine"}
    assert {run.how["dir"] for run in runs} == {str(tmp_path / "w")}


def test_tensorboard_gets_a_folder_for_each_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FakeWriter.made = []
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=FakeWriter))  # type: ignore[arg-type]
    (log,) = open_logs(["tensorboard"], tmp_path)
    for event in EVENTS:
        log(event)
    assert [Path(writer.log_dir) for writer in FakeWriter.made] == [
        tmp_path / "tensorboard" / "late-seed-0",
        tmp_path / "tensorboard" / "cross-v1-seed-0",
    ]
    assert [writer.closed for writer in FakeWriter.made] == [True, False]
    log.close()
    assert FakeWriter.made[1].closed
    expected = [(n, v, step) for figures, step in LOGGED["late, seed 0"] for n, v in figures.items()]
    assert FakeWriter.made[0].scalars == expected


def test_a_tool_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("wandb", "tensorboard", "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, module, None)  # type: ignore[arg-type]
    for name in LISTENERS:
        with pytest.raises(MissingPackageError, match=rf"pip install 'plait\[{name}\]'"):
            open_logs([name], tmp_path)
    with pytest.raises(UnknownNameError, match="unknown log 'tensorbord'; did you mean 'tensorboard'"):
        open_logs(["tensorbord"], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_several_listeners_hear_every_event_in_order() -> None:
    heard: list[tuple[str, Event]] = []
    listen = several([lambda event: heard.append(("a", event)), lambda event: heard.append(("b", event))])
    listen(EVENTS[0])
    assert heard == [("a", EVENTS[0]), ("b", EVENTS[0])]


def test_tensorboard_reads_the_event_file_of_a_real_fit(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    learner = toy_learner()
    feed = toy_feed(learner, tmp_path / "cache")
    trainer = Trainer(learner, feed=feed, settings=TrainSettings(epochs=2, batch_size=8), folder=tmp_path)
    heard: list[Event] = []
    with TensorBoardLog(tmp_path / "logs") as log:
        trainer.run(what="late, seed 0", listener=several([heard.append, log]), check=dict)
    found = EventAccumulator(str(tmp_path / "logs" / "late-seed-0"))
    found.Reload()
    losses = [(event.done, event.data["loss"]) for event in heard if event.kind == "step"]
    logged = [(scalar.step, scalar.value) for scalar in found.Scalars("train/loss")]
    assert [step for step, _ in logged] == [step for step, _ in losses]
    assert [value for _, value in logged] == pytest.approx([value for _, value in losses], rel=1e-6)
    assert len(found.Scalars("epoch/loss")) == 2
