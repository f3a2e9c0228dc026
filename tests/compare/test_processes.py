"""Runs side by side: the same rows as in turn, errors as they were raised, and no process that outlives its command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest
import torch

from plait.compare import processes
from plait.compare.budget import Share
from plait.compare.comparison import Comparison
from plait.compare.plan import Plan, compare_fusions
from plait.compare.processes import check_jobs, throttled
from plait.core.config import Recipe, read_recipe
from plait.core.errors import ConfigError, InputError, TrainingError
from plait.data.collection import Collection
from plait.data.open import open_collection
from plait.train.events import Event, silent
from tests.doors.tools import TINY, environment, give_splits, write_recipe
from tests.tiny import make_tiny

# `broken` takes steps and a weight decay beyond all measure: its weights are no numbers after a few steps.
RECIPE = f"""{TINY}
[variants.broken]
name = "late"
train = {{ lr = 1000.0, weight_decay = 1000.0, warmup_frac = 0.0, clip_norm = 0.0, batch_size = 2, ema_decay = 0.0 }}
"""

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Give this process one thread, as each of several jobs has here: then sums are the same to the last bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def setting(folder: Path, text: str = RECIPE) -> tuple[Recipe, Collection]:
    data = give_splits(make_tiny(folder / "squares", photos=16), 6)
    return read_recipe(write_recipe(folder, text)), open_collection(data)


def compared(given: tuple[Recipe, Collection], out: Path, fusions: str, **options: Any) -> Comparison:
    recipe, collection = given
    told = {name: options.pop(name) for name in ("cache", "listener") if name in options}
    plan = Plan(recipe, fusions.split(","), [0], command="", **options)
    return compare_fusions(plan, collection, out, **{"cache": out / "cache", **told})


def test_jobs_that_cannot_be_are_refused(tmp_path: Path) -> None:
    check_jobs(1, "time")
    check_jobs(8, "params")
    with pytest.raises(ConfigError, match="jobs: expected at least 1, got 0"):
        check_jobs(0, "")
    with pytest.raises(ConfigError, match=r"steps are timed one fusion at a time.*; use one job, or match params"):
        compared(setting(tmp_path), tmp_path / "out", "late", jobs=2, match="time")
    assert not (tmp_path / "out").exists()


def test_steps_are_told_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[str, int]] = []
    now = [0.0]
    monkeypatch.setattr(processes.time, "monotonic", lambda: now[0])
    listen = throttled(lambda event: heard.append((event.what, event.done)))
    for step in range(1, 11):  # one each 0.1 s: every third is told, and the last
        listen(Event("step", "late", step, 10))
        listen(Event("step", "scoring", step, 100))
        now[0] += 0.1
    listen(Event("epoch", "late", 1, 1))
    listen(Event("epoch", "late", 1, 1))
    assert [done for what, done in heard if what == "scoring"] == [1, 4, 7, 10]
    assert [done for what, done in heard if what == "late"] == [1, 4, 7, 10, 1, 1]
    listen(Event("step", "late", 10, 10))
    listen(Event("step", "late", 10, 10))
    assert len(heard) == 12, "the last of a task is always told"


def test_frozen_tokens_are_made_once_and_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, int, int]] = []
    learner = torch.nn.Linear(1, 1)  # stands for one: only its tokens are asked for
    monkeypatch.setattr(processes, "assemble_for", lambda recipe, collection: learner)

    def opened(learner: Any, recipe: Recipe, collection: Collection, **_: Any) -> None:
        made.append((recipe.fusion.name, recipe.train.seed, recipe.image.size_px))

    monkeypatch.setattr(processes, "open_feed", opened)
    base = replace(Recipe(), image=replace(Recipe().image, size_px=32))
    seeded = [replace(base, train=replace(base.train, seed=seed)) for seed in range(3)]
    larger = replace(base, image=replace(base.image, size_px=64))
    asked = [("late", Share(recipe, None, {})) for recipe in (*seeded, larger)]
    monkeypatch.setattr(processes, "whole_record", lambda folder: {} if folder.name == "late-s0" else None)
    processes._encode_first(asked, None, tmp_path, cache=tmp_path, device="cpu", listener=silent)  # type: ignore[arg-type]
    name = base.fusion.name
    assert made == [(name, 1, 32)], "seed 0 is finished, as is the larger one, and seed 2 has the tokens of seed 1"
    asked[3] = ("late", replace(asked[3][1], recipe=replace(larger, train=replace(base.train, seed=5))))
    processes._encode_first(asked, None, tmp_path, cache=tmp_path, device="cpu", listener=silent)  # type: ignore[arg-type]
    assert made[1:] == [(name, 1, 32), (name, 5, 64)]


@pytest.mark.slow
def test_side_by_side_gives_what_turns_give(tmp_path: Path, one_thread: None) -> None:
    given = setting(tmp_path)
    heard: list[Event] = []
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    before = [os.environ.get(name) for name in names]
    beside = compared(given, tmp_path / "beside", "cross,broken,late", jobs=2, listener=heard.append)
    in_turn = compared(given, tmp_path / "in_turn", "cross,broken,late")
    assert [os.environ.get(name) for name in names] == before
    assert active_children() == []
    assert (beside.results["jobs"], in_turn.results["jobs"]) == (2, 1)
    assert (beside.failed, in_turn.failed) == (1, 1)
    theirs = in_turn.results["rows"]
    assert [row["run"] for row in theirs] == ["runs/cross-s0", "runs/broken-s0", "runs/late-s0"]
    for mine, yours in zip(beside.results["rows"], theirs, strict=True):
        same = ("run", "status", "reason", "flags", "metrics", "params")
        assert {key: mine.get(key) for key in same} == {key: yours.get(key) for key in same}
        assert [entry["loss"] for entry in mine["curve"]] == [entry["loss"] for entry in yours["curve"]]
        if mine["status"] != "failed":
            assert (mine["jobs"], mine["threads"], yours["jobs"], yours["threads"]) == (2, 1, 1, 1)
    assert "the loss became nan" in beside.results["rows"][1]["reason"]
    runs = [event for event in heard if event.kind == "run"]
    assert [(event.done, event.total) for event in runs] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert {event.what for event in runs} == {"", "cross, seed 0", "broken, seed 0", "late, seed 0"}
    for what in ("cross, seed 0", "late, seed 0"):
        told = [event for event in heard if event.what == what]
        assert [event.done for event in told if event.kind == "epoch"] == [1, 2]
        assert [event.kind for event in told][-2:] == ["evaluate", "run"]
        assert max(event.done for event in told if event.kind == "step") == told[0].total
    heard.clear()
    again = compared(given, tmp_path / "beside", "cross,late", jobs=2, listener=heard.append)
    assert [event.kind for event in heard] == ["run", "run"], "what is finished needs no process"
    assert [row["jobs"] for row in again.results["rows"] if row["status"] != "failed"] == [2, 2]


@pytest.mark.slow
def test_an_error_comes_through_as_it_was_raised(tmp_path: Path) -> None:
    given = setting(tmp_path)
    given[1].fingerprint  # all photos were read once
    gone = given[1].photos[given[1].splits["train"][0]].source
    assert isinstance(gone, Path)
    gone.unlink()
    with pytest.raises(InputError, match=f"{gone}: no such file"):
        compared(given, tmp_path / "out", "late,cross", jobs=2)
    assert active_children() == []
    assert not (tmp_path / "out" / "results.json").exists()


@pytest.mark.slow
@needs_proc
def test_a_process_ended_from_outside_is_told_in_a_sentence(tmp_path: Path) -> None:
    given = setting(tmp_path)

    def end_one(event: Event) -> None:
        if event.kind == "epoch":
            os.kill(active_children()[0].pid or 0, signal.SIGKILL)

    said = (
        r"one of late-s0, cross-s0 was ended from outside.*memory ran out.*the same command goes on.*fewer jobs than 2"
    )
    with pytest.raises(TrainingError, match=said):
        compared(given, tmp_path / "out", "late,cross", jobs=2, listener=end_one)
    assert active_children() == []
    assert compared(given, tmp_path / "out", "late,cross").failed == 0


def children(pid: int) -> set[int]:
    """Give the processes that train for this one."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"spawn_main" in (folder / "cmdline").read_bytes():
                found.add(int(folder.name))
        except OSError:  # it has ended meanwhile
            continue
    return found


def alive(pids: set[int]) -> set[int]:
    states = {pid: Path(f"/proc/{pid}/stat") for pid in pids}
    return {
        pid for pid, path in states.items() if path.exists() and path.read_text().rpartition(")")[2].split()[0] != "Z"
    }


def until(moment: Callable[[], Any], limit_s: float = 200.0) -> Any:
    end = time.monotonic() + limit_s
    while not (found := moment()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def _heed_interrupts() -> None:
    """Undo what a shell does to its background jobs: they ignore the keyboard, and so would all they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize(("how", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_no_process_outlives_its_command(tmp_path: Path, how: signal.Signals, code: int) -> None:
    given = setting(tmp_path, f"{TINY}checkpoint_s = 0.001\n".replace("epochs = 2", "epochs = 8"))
    out, log = tmp_path / "out", tmp_path / "log"
    words = ["--data", tmp_path / "squares", "--recipe", tmp_path / "tiny.toml", "--out", out]
    command = [sys.executable, "-m", "plait", "compare", "--fusions", "late,cross", "--seeds", "1", "--jobs", "2"]
    command += map(str, words)
    cache = tmp_path / "cache"
    with log.open("wb") as told:
        process = subprocess.Popen(
            command,
            stdout=told,
            stderr=told,
            env=environment(cache),
            start_new_session=True,
            preexec_fn=_heed_interrupts,
        )
        try:
            until(lambda: any(out.rglob("state.safetensors")) or process.poll() is not None)
            workers = children(process.pid)
            assert len(workers) == 2, log.read_text()
            # The keyboard interrupts all processes of a terminal, a kill only the one that is named.
            os.killpg(process.pid, how) if how is signal.SIGINT else process.send_signal(how)
            assert process.wait(60) == code, log.read_text()
        finally:
            process.kill()
            process.wait()
    until(lambda: not alive(workers), 20.0)
    if how is signal.SIGINT:
        assert "interrupted; what is finished is kept, and the same command goes on from there" in log.read_text()
        assert "Traceback" not in log.read_text()
    assert not any(out.rglob("run.json")), "both runs were stopped before their end"
    heard: list[Event] = []  # one job goes on where two were
    again = compared(given, out, "late,cross", cache=cache, listener=heard.append)
    assert [row["status"] != "failed" for row in again.results["rows"]] == [True, True]
    assert any("resumed_at_step" in event.data for event in heard)
