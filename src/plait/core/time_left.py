"""How long a whole command will still take: one estimate over encoding and all runs, from their events."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Left", "TimeLeft"]

# Before so many seconds of one kind of work its speed is not known.
_LEAST_S = 2.0


class _Event(Protocol):
    """The fields of `plait.train.events.Event` that are read here."""

    @property
    def kind(self) -> str: ...
    @property
    def what(self) -> str: ...
    @property
    def done(self) -> int: ...
    @property
    def total(self) -> int: ...
    @property
    def data(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Left:
    """Seconds that are left; `at_least` where runs will follow of which nothing is known yet."""

    seconds: float
    at_least: bool = False


@dataclass
class _Work:
    """Something counted: when its first event came and with which count, and the newest count."""

    began: float
    first: int
    done: int
    total: int

    def left(self, now: float) -> float | None:
        """Give seconds that are left, by the speed so far; None while that is not known."""
        if self.total and self.done >= self.total:
            return 0.0
        spent, counted = now - self.began, self.done - self.first
        return spent / counted * (self.total - self.done) if counted > 0 and spent >= _LEAST_S else None


class TimeLeft:
    """A listener that estimates how long a command will still take, all of its runs included.

    A run takes as long as earlier ones of the same label in this command; one of a new label as long as the mean of
    those known, the present one included, at its speed so far. Runs side by side share what is left between them.

    Arguments:
        clock: what gives the time in seconds
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._before: _Work | None = None  # encoding or checking of data
        self._training: dict[str, _Work] = {}
        self._scoring: dict[str, _Work] = {}
        self._label, self._began = "", clock()
        self._took: dict[str, list[float]] = {}
        self._ahead: list[str] = []
        self._jobs = 1
        self._trained = False

    def __call__(self, event: _Event) -> None:
        """Take an event into account."""
        now = self._clock()
        if event.kind in ("encode", "verify"):
            known = self._before
            if known is None or event.done < known.done or event.total != known.total:
                self._before = _Work(now, event.done, event.done, event.total)
            else:
                known.done = event.done
        elif event.kind == "step":
            works = self._training if "loss" in event.data else self._scoring
            found = works.setdefault(event.what, _Work(now, event.done, event.done, event.total))
            found.done = event.done
            self._before, self._trained = None, self._trained or "loss" in event.data
        elif event.kind == "run":
            self._next_run(event, now)

    def left(self) -> Left | None:
        """Give what is left, or None while nothing is known."""
        now = self._clock()
        before = self._before
        own = self._present(now) if before is None else before.left(now)
        if own is None and before is None and self._took and self._jobs == 1:
            own = max(0.0, self._usual(self._label) - (now - self._began))
        if own is None:
            return None
        ahead = self._runs_ahead(now, own)
        # Of a command that still encodes, the run under way is ahead too.
        return Left(own + (ahead or 0.0), at_least=ahead is None or (before is not None and not self._trained))

    def _next_run(self, event: _Event, now: float) -> None:
        self._jobs = int(event.data.get("side_by_side", 1))
        beside = self._jobs > 1
        # A run that was finished before is opened in a moment and trains no step: it says nothing of the others.
        ended = [event.what] if beside else list(self._training)
        for work in [self._training.pop(what) for what in ended if what in self._training]:
            self._took.setdefault(self._label, []).append(now - (work.began if beside else self._began))
        if not beside:
            self._scoring.clear()
            self._began = now
        self._label = str(event.data.get("label", ""))
        under_way = self._jobs if beside else 1
        unnamed = [""] * max(0, event.total - event.done - under_way)
        self._ahead = [str(label) for label in event.data.get("ahead", unnamed)]

    def _present(self, now: float) -> float | None:
        """Give the seconds until the runs that are under way have ended, as far as their events tell."""
        lefts = [work.left(now) for work in (*self._training.values(), *self._scoring.values())]
        known = [left for left in lefts if left is not None]
        return max(known) if known else None

    def _usual(self, label: str) -> float:
        """Give how long finished runs took: those of a label, or all where it has none."""
        means = {one: sum(times) / len(times) for one, times in self._took.items()}
        return means.get(label, sum(means.values()) / len(means))

    def _runs_ahead(self, now: float, own: float) -> float | None:
        """Give the seconds of the runs ahead, or None where there are some and nothing is known of any."""
        if not self._ahead:
            return 0.0
        known = {label: sum(times) / len(times) for label, times in self._took.items()}
        if self._training and self._before is None:
            began = min(work.began for work in self._training.values()) if self._jobs > 1 else self._began
            known.setdefault(self._label, now - began + own)
        if not known:
            return None
        mean = sum(known.values()) / len(known)
        return sum(known.get(label, mean) for label in self._ahead) / self._jobs
