"""The log of events: every event but single steps, in order, passed on; a full disk is said in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plait.core.errors import StorageError
from plait.train.events import Event, jsonl_log, silent
from plait.train.memory import PeakMemory


def test_the_log_keeps_all_but_steps_and_passes_on(tmp_path: Path) -> None:
    heard: list[Event] = []
    listen = jsonl_log(tmp_path / "events.jsonl", heard.append)
    events = [
        Event("step", "late", 1, 2, {"loss": 3.0}),
        Event("encode", "photos", 8, 9),
        Event("epoch", "late", 1, 1, {"loss": 2.5}),
        Event("note", "late", data={"resumed_at_step": 4}),
    ]
    for event in events:
        listen(event)
    assert heard == events
    kept = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    assert kept == [
        {"kind": "epoch", "what": "late", "loss": 2.5},
        {"kind": "note", "what": "late", "resumed_at_step": 4},
    ]
    assert silent(events[0]) is None


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    listen = jsonl_log(tmp_path, silent)  # a folder where the file should be
    with pytest.raises(StorageError, match=r"could not be written \(Is a directory\); free some space, then run the"):
        listen(Event("note", "late"))


def test_memory_is_the_largest_size_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter([100.0, 300.0, 200.0])
    monkeypatch.setattr("plait.train.memory._resident_mb", lambda: next(sizes))
    memory = PeakMemory(150.0)
    assert [memory.sample() for _ in range(3)] == [150.0, 300.0, 300.0]
    monkeypatch.undo()
    assert 20 < PeakMemory().sample() < 100_000
    monkeypatch.setattr("plait.train.memory.STATM", Path("/no/such/file"))
    assert 20 < PeakMemory().sample() < 100_000
