"""The log of events: every event but single steps, in order, passed on; a full disk is said in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plait.core.errors import StorageError
from plait.train.events import Event, jsonl_log, silent


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
    with pytest.raises(StorageError, match=r"Is a directory; choose another name.*run the same command again"):
        listen(Event("note", "late"))
