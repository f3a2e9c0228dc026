"""Progress of long work: one event type for all listeners, and a log that writes events as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plait.core.errors import StorageError
from plait.core.os_errors import os_sentence

__all__ = ["Event", "Listener", "jsonl_log", "several", "silent"]


@dataclass(frozen=True)
class Event:
    """Something happened.

    Fields:
        kind:  "verify", "encode", "step", "epoch", "evaluate", "run" or "note"
        what:  a few words for people, such as "cross, seed 1"
        done:  units finished (items, steps, epochs, runs)
        total: units overall; 0 where unknown
        data:  figures that belong to the event, JSON-serialisable
    """

    kind: str
    what: str
    done: int = 0
    total: int = 0
    data: dict[str, Any] = field(default_factory=dict)


Listener = Callable[[Event], None]


def silent(event: Event) -> None:
    """Ignore the event."""


def several(listeners: Sequence[Listener]) -> Listener:
    """Make one listener of several: each hears every event, in the order given."""

    def listen(event: Event) -> None:
        for listener in listeners:
            listener(event)

    return listen


def jsonl_log(path: Path, then: Listener = silent) -> Listener:
    """Make a listener that appends every event but single steps to a JSON-lines file, then passes it on.

    The listener raises:
        StorageError: the disk is full or not writable.
    """

    def listen(event: Event) -> None:
        if event.kind not in ("step", "encode"):
            try:
                with path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"kind": event.kind, "what": event.what, **event.data}) + "\n")
            except OSError as error:
                raise StorageError(
                    f"{path}: could not be written: {os_sentence(error, 'write')}; then run the same command again"
                ) from error
        then(event)

    return listen
