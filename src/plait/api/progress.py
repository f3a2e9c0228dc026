"""Progress where nobody listens: a bar of tqdm on a terminal or in a notebook, else a plain line now and then."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from plait.core.errors import ConfigError
from plait.train.events import Event, Listener, silent

__all__ = ["Bars", "Lines", "listening"]

LINE_S = 10.0
_DOING = {"encode": "encoding ", "verify": "checking "}
_COUNTED = ("step", "encode", "verify")


@contextlib.contextmanager
def listening(listener: Listener | None, progress: bool | None) -> Iterator[Listener]:
    """Give the listener for the time of a verb, and end its bars afterwards.

    Arguments:
        listener: the caller's own, or None
        progress: True = bars, False = none, None = bars unless there is a listener. Both may be had at once
    Raises:
        ConfigError: `progress` is something else, or `listener` cannot be called.
    """
    if progress not in (True, False, None):
        raise ConfigError(f"progress: expected True, False or None, got {progress!r}; a function goes to listener=")
    if listener is not None and not callable(listener):
        raise ConfigError(f"listener: expected a function that takes an event, got {type(listener).__name__}")
    shown = listener is None if progress is None else progress
    if not shown:
        yield listener or silent
        return
    bars = _bars()
    try:
        yield bars if listener is None else _both(listener, bars)
    finally:
        bars.close()


class Lines:
    """Progress as lines on stderr: each epoch and result, and how far long work is, every ten seconds."""

    def __init__(self) -> None:
        self._written = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if event.kind in _COUNTED:
            if time.monotonic() - self._written < LINE_S or not event.total:
                return
            self._say(f"{_DOING.get(event.kind, '')}{event.what}: {event.done:,}/{event.total:,}")
        elif event.kind in ("epoch", "evaluate"):
            epoch = f"epoch {event.done}/{event.total}, " if event.kind == "epoch" else ""
            self._say(f"{event.what}: {epoch}{_figures(event)}")
        elif event.kind == "note":
            self._say(f"{event.what}: {_figures(event)}")

    def close(self) -> None:
        """Nothing is left open."""

    def _say(self, text: str) -> None:
        self._written = time.monotonic()
        with contextlib.suppress(OSError, ValueError):  # a stderr that is closed or full must not end a training
            if sys.stderr is not None:
                print(text, file=sys.stderr, flush=True)


class Bars:
    """Progress as bars of tqdm, one for each thing under way; in a notebook they are its widgets.

    Arguments:
        make: the class `tqdm.auto.tqdm`
    """

    def __init__(self, make: Any) -> None:
        self._make = make
        self._open: dict[str, Any] = {}
        self._figures = ""

    def __call__(self, event: Event) -> None:
        """Show one event."""
        with contextlib.suppress(OSError, ValueError):
            if event.kind in _COUNTED and event.total:
                self._tick(event)
            elif event.kind in ("epoch", "evaluate"):
                self._figures = _figures(event)

    def close(self) -> None:
        """End the bars that are still drawn."""
        with contextlib.suppress(OSError, ValueError):
            for bar in self._open.values():
                bar.close()
        self._open.clear()

    def _tick(self, event: Event) -> None:
        name = f"{_DOING.get(event.kind, '')}{event.what}"
        bar = self._open.get(name)
        if bar is None:
            bar = self._open[name] = self._make(total=event.total, desc=name)
        bar.update(event.done - bar.n)
        if self._figures and event.kind == "step":
            bar.set_postfix_str(self._figures, refresh=False)
        if event.done >= event.total:
            self._open.pop(name).close()


def _bars() -> Bars | Lines:
    """Choose bars where they can be drawn and tqdm is installed, else lines."""
    stream = sys.stderr
    notebook = "ipykernel" in sys.modules
    drawn = notebook or (stream is not None and not stream.closed and stream.isatty())
    if not drawn or find_spec("tqdm") is None:
        return Lines()
    found = import_module("tqdm.auto").tqdm
    # Without tqdm's own thread, which would be forked along with the runs of a comparison.
    return Bars(type("Bar", (found,), {"monitor_interval": 0}))


def _both(first: Listener, second: Listener) -> Listener:
    def listen(event: Event) -> None:
        first(event)
        second(event)

    return listen


def _figures(event: Event) -> str:
    shown = [(key, value) for key, value in event.data.items() if key not in ("epoch", "seconds")]
    return ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in shown[:4])
