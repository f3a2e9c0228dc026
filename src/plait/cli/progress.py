"""Progress on stderr: a bar that redraws on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

__all__ = ["ProgressBar"]

BAR_CELLS = 24
REDRAW_S = 0.1
LINE_S = 15.0


class ProgressBar:
    """A listener for the long verbs' events."""

    def __init__(self, stream: TextIO | None = None) -> None:
        # Looked up now, not when this module is imported: who redirects stderr means this bar too.
        self.stream = sys.stderr if stream is None else stream
        self.live = self.stream.isatty()
        self._drawn_at = 0.0
        self._task = ""
        self._began = 0.0
        self._open = False
        self._runs = ""

    def __call__(self, event: Any) -> None:
        """Show one event."""
        if event.kind in ("step", "encode", "verify"):
            self._tick(event)
        elif event.kind == "run":
            self._runs = f"[{event.done + 1}/{event.total}] " if event.total > 1 else ""
        elif event.kind == "epoch":
            figures = ", ".join(f"{k} {v:.4g}" for k, v in event.data.items() if k not in ("epoch", "seconds"))
            self._line(f"{self._runs}{event.what}: epoch {event.done}/{event.total}  {figures}")
        elif event.kind == "evaluate":
            chosen = ("t2i_r1", "i2t_r1", "binding_accuracy", "miou", "miou_text_shuffled")
            figures = ", ".join(f"{k} {event.data[k]:.1f}" for k in chosen if k in event.data)
            self._line(f"{self._runs}{event.what}: {figures}")
        else:
            self._line(f"{event.what}: " + ", ".join(f"{k} {v}" for k, v in event.data.items()))

    def close(self) -> None:
        """End a bar that is still drawn."""
        if self._open:
            print("", file=self.stream, flush=True)
            self._open = False

    def _tick(self, event: Any) -> None:
        now = time.monotonic()
        doing = {"encode": "encoding ", "verify": "looking at "}.get(event.kind, "")
        task = f"{doing}{event.what}"
        if task != self._task:
            self._task, self._began, self._drawn_at = task, now, now if not self.live else 0.0
        done = event.total and event.done >= event.total
        if now - self._drawn_at < (REDRAW_S if self.live else LINE_S) and not (done and self.live):
            return
        self._drawn_at = now
        text = f"{self._runs}{task}  {event.done:,}/{event.total:,}{self._rest(event, now)}"
        if self.live:
            filled = round(BAR_CELLS * event.done / max(1, event.total))
            bar = "█" * filled + "░" * (BAR_CELLS - filled)
            print(f"\r\x1b[2K{bar} {text}", end="", file=self.stream, flush=True)
            self._open = True
        else:
            print(text, file=self.stream, flush=True)

    def _rest(self, event: Any, now: float) -> str:
        spent = now - self._began
        if event.done <= 0 or spent < 2 or event.done >= event.total:
            return ""
        left = spent / event.done * (event.total - event.done)
        return f"  {int(left // 60)}:{int(left % 60):02d} left"

    def _line(self, text: str) -> None:
        if self.live:
            print("\r\x1b[2K", end="", file=self.stream)
        self._open = False
        print(text, file=self.stream, flush=True)
