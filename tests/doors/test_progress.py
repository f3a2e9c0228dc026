"""Progress on stderr: runs in turn and side by side, on a terminal and elsewhere."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from plait.cli import progress
from plait.cli.progress import ProgressBar
from plait.tasks import all_tasks
from plait.train.events import Event

Clock = Callable[[float], None]
BESIDE = {"side_by_side": 2}
LOSS = {"loss": 1.0}


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True

    @property
    def shown(self) -> list[str]:
        """What its last line showed, drawing by drawing."""
        return [text for text in self.getvalue().split("\r\x1b[2K") if text]


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Give a clock that goes only when told to."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setenv("COLUMNS", "80")

    def wait(seconds: float) -> None:
        now[0] += seconds

    return wait


def test_runs_in_turn_are_counted_from_the_one_that_begins(wait: Clock) -> None:
    stream = Terminal()
    bar = ProgressBar(stream)
    bar(Event("run", "late-s0", 0, 2))
    for step in (1, 2, 3, 4):
        bar(Event("step", "late, seed 0", step, 4, LOSS))
        wait(2.0)
    bar(Event("run", "cross-s0", 1, 2))
    bar(Event("step", "cross, seed 0", 1, 4, LOSS))
    bar.close()
    assert stream.shown == [
        "██████░░░░░░░░░░░░░░░░░░ [1/2] late, seed 0  1/4",
        # 2 s per step: 4 s of this run and 6 s, what it will have taken, of the other
        "████████████░░░░░░░░░░░░ [1/2] late, seed 0  2/4  0:10 left",
        "██████████████████░░░░░░ [1/2] late, seed 0  3/4  0:08 left",
        "████████████████████████ [1/2] late, seed 0  4/4  0:06 left",
        "██████░░░░░░░░░░░░░░░░░░ [2/2] cross, seed 0  1/4  0:08 left\n",
    ]


def test_in_turn_an_activity_that_was_cut_short_is_not_shown_again(wait: Clock) -> None:
    stream = Terminal()
    bar = ProgressBar(stream)
    bar(Event("step", "late, seed 0", 1, 4, LOSS))
    bar(Event("step", "late, seed 0: scoring val", 1, 4))
    assert [text[25:] for text in stream.shown] == ["late, seed 0  1/4", "late, seed 0: scoring val  1/4"]


def test_side_by_side_all_activities_share_one_line(wait: Clock) -> None:
    stream = Terminal()
    bar = ProgressBar(stream)
    bar(Event("run", "", 0, 3, BESIDE))
    bar(Event("step", "late, seed 0", 1, 100, LOSS))
    bar(Event("step", "cross, seed 0", 1, 50, LOSS))  # at once: nothing is drawn
    wait(10.0)
    bar(Event("step", "late, seed 0", 50, 100, LOSS))
    wait(10.0)
    bar(Event("step", "cross, seed 0", 2, 50, LOSS))
    bar(Event("step", "cross, seed 0", 3, 50, LOSS))
    assert stream.shown[1:] == [
        "[0/3 done] 0:20 left | late, seed 0  50/100 | cross, seed 0  1/50",
        # cross needs 16 minutes more, and so would the third run, half of which is left when it has its turn
        "[0/3 done] 24:10 left | late, seed 0  50/100 | cross, seed 0  2/50",
    ]
    bar(Event("epoch", "late, seed 0", 1, 1, {"loss": 0.5}))
    assert stream.shown[-1] == "[0/3 done] late, seed 0: epoch 1/1  loss 0.5\n"
    bar(Event("run", "late, seed 0", 1, 3, BESIDE))  # it ended, whatever step it was last heard at
    wait(1.0)
    bar(Event("step", "cross, seed 0", 25, 50, LOSS))
    assert stream.shown[-1] == "████████████░░░░░░░░░░░░ [1/3 done] cross, seed 0  25/50  0:21 left"


def test_a_line_never_wraps(wait: Clock) -> None:
    stream = Terminal()
    bar = ProgressBar(stream)
    bar(Event("run", "", 0, 9, BESIDE))
    for number in range(9):
        bar(Event("step", f"cross, seed {number}", 1, 50, LOSS))
    wait(1.0)
    bar(Event("step", "cross, seed 1", 2, 50, LOSS))
    assert stream.shown[-1].startswith("[0/9 done] cross, seed 0  1/50 | cross, seed 1  2/50 | ")
    assert stream.shown[-1].endswith("…")
    assert len(stream.shown[-1]) == 79


def test_a_run_forgets_its_own_activities_only(wait: Clock) -> None:
    stream = io.StringIO()
    bar = ProgressBar(stream)
    bar(Event("run", "", 0, 3, BESIDE))
    for what in ("late, seed 1", "late, seed 1: scoring val", "late, seed 10"):
        bar(Event("step", what, 1, 50, LOSS))
    bar(Event("run", "late, seed 1", 1, 3, BESIDE))
    assert list(bar._activities) == ["late, seed 10"]


def test_elsewhere_every_activity_has_its_line_now_and_then(wait: Clock) -> None:
    stream = io.StringIO()
    bar = ProgressBar(stream)
    bar(Event("run", "", 0, 2, BESIDE))
    for step in range(1, 33):
        for what, total in (("late, seed 0", 32), ("cross, seed 0", 64)):
            bar(Event("step", what, step, total, LOSS))
        wait(1.0)
    bar(Event("evaluate", "late, seed 0", 1, 1, {"t2i_r1": 12.5}))
    bar.close()
    assert stream.getvalue().splitlines() == [
        "[0/2 done] late, seed 0  16/32  0:52 left",
        "[0/2 done] cross, seed 0  16/64  0:48 left",
        "[0/2 done] late, seed 0  31/32  0:35 left",
        "[0/2 done] cross, seed 0  31/64  0:33 left",
        "[0/2 done] late, seed 0: t2i_r1 12.5",
    ]


def test_figures_are_those_that_comparisons_are_about(wait: Clock) -> None:
    stream = io.StringIO()
    bar = ProgressBar(stream)
    tested = {metric.key: 12.34 for task in all_tasks() for metric in task.metrics if metric.headline or metric.tested}
    bar(Event("evaluate", "late, seed 0", 1, 1, {**tested, "unknown": 1.0}))
    assert stream.getvalue() == f"late, seed 0: {', '.join(f'{key} 12.3' for key in tested)}\n"


def test_a_stream_that_is_full_does_not_stop_the_work(wait: Clock) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    bar = ProgressBar(Full())
    bar(Event("epoch", "late, seed 0", 1, 1, {"loss": 0.5}))
    assert bar.failed
