"""Progress in Python: bars where they can be drawn, lines elsewhere, nothing on request; it never stops the work."""

from __future__ import annotations

import io
import sys
from typing import Any, ClassVar

import pytest

from plait.api import progress
from plait.api.progress import Bars, Lines, listening
from plait.core.errors import ConfigError
from plait.train.events import Event, silent

EPOCH = Event("epoch", "late, seed 0", 1, 2, {"epoch": 1, "loss": 0.51234, "seconds": 2.0})


class FakeBar:
    made: ClassVar[list[FakeBar]] = []

    def __init__(self, total: int, desc: str) -> None:
        self.total, self.desc, self.n, self.closed, self.postfix = total, desc, 0, False, ""
        FakeBar.made.append(self)

    def update(self, by: int) -> None:
        self.n += by

    def set_postfix_str(self, text: str, refresh: bool) -> None:
        self.postfix = text

    def close(self) -> None:
        self.closed = True


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_show_epochs_results_and_long_work(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("plait.api.progress.time.monotonic", lambda: clock[0])
    with listening(None, None) as listener:
        assert isinstance(listener, Lines)
        for done, at in ((1, 1.0), (2, 11.0), (3, 12.0)):
            clock[0] = at
            listener(Event("encode", "images", done, 3))
        listener(EPOCH)
        listener(Event("evaluate", "late, seed 0", 1, 1, {"t2i_r1": 23.456}))
        listener(Event("note", "late", data={"failed": "why"}))
    assert capsys.readouterr().err.splitlines() == [
        "encoding images: 2/3",
        "late, seed 0: epoch 1/2, loss 0.5123",
        "late, seed 0: t2i_r1 23.46",
        "late: failed why",
    ]


def test_a_listener_or_false_silences_and_both_may_be_had(capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[Event] = []
    with listening(heard.append, None) as listener:
        listener(EPOCH)
    with listening(None, False) as listener:
        assert listener is silent
    with listening(heard.append, False) as listener:
        listener(EPOCH)
    assert capsys.readouterr().err == ""
    with listening(heard.append, True) as listener:
        listener(EPOCH)
    assert len(heard) == 3
    assert "epoch 1/2" in capsys.readouterr().err


@pytest.mark.parametrize(("listener", "shown"), [(None, "no"), (3, None)])
def test_what_is_no_listener_is_refused(listener: Any, shown: Any) -> None:
    with pytest.raises(ConfigError, match=r"progress: expected|listener: expected"), listening(listener, shown):
        pass


def test_bars_follow_each_activity_and_are_closed() -> None:
    FakeBar.made.clear()
    bars = Bars(FakeBar)
    bars(Event("encode", "images", 1, 2))
    bars(EPOCH)
    bars(Event("step", "late", 3, 9))
    bars(Event("step", "late", 7, 9))
    bars(Event("encode", "images", 2, 2))
    encode, step = FakeBar.made
    assert (encode.desc, encode.n, encode.closed) == ("encoding images", 2, True)
    assert (step.desc, step.n, step.total, step.closed, step.postfix) == ("late", 7, 9, False, "loss 0.5123")
    bars.close()
    assert step.closed


def test_bars_are_drawn_on_terminals_and_in_notebooks_with_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(progress._bars(), Lines)
    pytest.importorskip("tqdm")
    monkeypatch.setitem(sys.modules, "ipykernel", object())  # type: ignore[arg-type]
    assert isinstance(progress._bars(), Bars)
    monkeypatch.delitem(sys.modules, "ipykernel")
    monkeypatch.setattr(sys, "stderr", Terminal())
    bars = progress._bars()
    assert isinstance(bars, Bars)
    bars(Event("step", "late", 1, 2))
    bars(Event("step", "late", 2, 2))
    assert "late: 100%" in sys.stderr.getvalue()  # type: ignore[attr-defined]
    monkeypatch.setattr("plait.api.progress.find_spec", lambda name: None)
    assert isinstance(progress._bars(), Lines)


def test_a_stderr_that_is_gone_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    for stream in (None, closed):
        monkeypatch.setattr(sys, "stderr", stream)
        with listening(None, True) as listener:
            listener(EPOCH)
