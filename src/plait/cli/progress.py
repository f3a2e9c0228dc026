"""Progress on stderr: a bar that redraws on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import dataclass
from typing import Any, TextIO

from plait.cli.tasks import shown_keys
from plait.core.time_left import TimeLeft

__all__ = ["ProgressBar"]

BAR_CELLS = 24
REDRAW_S = 0.1
LINE_S = 15.0
CLEAR = "\r\x1b[2K"


@dataclass
class _Activity:
    """One thing under way: when a line was last written on it, and its newest event."""

    name: str
    written: float
    event: Any

    def text(self) -> str:
        """Say how far it is."""
        return f"{self.name}  {self.event.done:,}/{self.event.total:,}"


class ProgressBar:
    """A listener for the long verbs' events. On a terminal, runs side by side share one line.

    The time that is left is that of the whole command: encoding and all runs (see `plait.core.time_left`).

    `failed` says that something could not be written.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        # Looked up now, not when this module is imported: who redirects stderr means this bar too.
        self.stream = sys.stderr if stream is None else stream
        self.live = self.stream.isatty()
        self._drawn_at = 0.0
        self._activities: dict[str, _Activity] = {}
        self._beside = False
        self._open = False
        self._runs = ""
        self._left = TimeLeft(lambda: time.monotonic())  # looked up at each call
        self.failed = False

    def __call__(self, event: Any) -> None:
        """Show one event."""
        self._left(event)
        if event.kind in ("step", "encode", "verify"):
            self._tick(event)
        elif event.kind == "run":
            self._count(event)
        elif event.kind == "epoch":
            figures = ", ".join(f"{k} {v:.4g}" for k, v in event.data.items() if k not in ("epoch", "seconds"))
            self._line(f"{self._runs}{event.what}: epoch {event.done}/{event.total}  {figures}")
        elif event.kind == "evaluate":
            figures = ", ".join(f"{k} {event.data[k]:.1f}" for k in shown_keys() if k in event.data)
            self._line(f"{self._runs}{event.what}: {figures}")
        else:
            self._line(f"{event.what}: " + ", ".join(f"{k} {v}" for k, v in event.data.items()))

    def close(self) -> None:
        """End a bar that is still drawn."""
        if self._open:
            self._write("\n")
            self._open = False

    def _count(self, event: Any) -> None:
        """Count runs: in turn the one that begins, side by side those that are done. What ended is forgotten."""
        self._beside = "side_by_side" in event.data
        if self._beside:
            self._runs = f"[{event.done}/{event.total} done] "
            ended = [name for name in self._activities if name == event.what or name.startswith(f"{event.what}: ")]
        else:
            self._runs = f"[{event.done + 1}/{event.total}] " if event.total > 1 else ""
            ended = list(self._activities)
        for name in ended:
            del self._activities[name]

    def _tick(self, event: Any) -> None:
        now = time.monotonic()
        doing = {"encode": "encoding ", "verify": "checking "}.get(event.kind, "")
        activity = self._activity(f"{doing}{event.what}", event, now)
        done = event.total and event.done >= event.total
        if self.live:
            if done or now - self._drawn_at >= REDRAW_S:
                self._draw(activity, now)
        elif now - activity.written >= LINE_S:
            activity.written = now
            self._write(f"{self._runs}{activity.text()}{self._rest('  ')}\n")
        if done:
            del self._activities[activity.name]

    def _activity(self, name: str, event: Any, now: float) -> _Activity:
        """Give the activity of this name with its newest event; in turn, a new one ends all others."""
        if name not in self._activities:
            if not self._beside:
                self._activities.clear()
            self._activities[name] = _Activity(name, now, event)
            self._drawn_at = self._drawn_at if self._beside else 0.0
        self._activities[name].event = event
        return self._activities[name]

    def _draw(self, activity: _Activity, now: float) -> None:
        self._drawn_at = now
        if len(self._activities) > 1:
            text = self._runs + self._rest(after=" | ") + " | ".join(map(_Activity.text, self._activities.values()))
            room = shutil.get_terminal_size().columns - 1  # a line that wraps could not be drawn over
            text = text if len(text) <= room else f"{text[: room - 1]}…"
        else:
            filled = round(BAR_CELLS * activity.event.done / max(1, activity.event.total))
            text = f"{'█' * filled}{'░' * (BAR_CELLS - filled)} {self._runs}{activity.text()}{self._rest('  ')}"
        self._write(f"{CLEAR}{text}")
        self._open = True

    def _rest(self, before: str = "", *, after: str = "") -> str:
        """Say how long the whole command may still take; nothing while that is not known, or when it is at its end."""
        left = self._left.left()
        if left is None or left.seconds <= 0:
            return ""
        seconds = int(left.seconds)
        hours = f"{seconds // 3600}:{seconds // 60 % 60:02d}" if seconds >= 3600 else f"{seconds // 60}"
        return f"{before}{'at least ' if left.at_least else ''}{hours}:{seconds % 60:02d} left{after}"

    def _line(self, text: str) -> None:
        self._write(f"{CLEAR if self.live else ''}{text}\n")
        self._open = False

    def _write(self, text: str) -> None:
        # A full disk behind stderr, or a reader that has gone, must not end a training run.
        try:
            self.stream.write(text)
            self.stream.flush()
        except BrokenPipeError:
            pass
        except (OSError, ValueError):
            self.failed = True
