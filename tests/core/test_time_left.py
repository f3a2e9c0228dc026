"""One estimate for a whole command, against times worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from plait.core.time_left import Left, TimeLeft
from plait.train.events import Event

LOSS = {"loss": 1.0}


class Watch:
    """A clock that goes only when told to, and an estimate that reads it."""

    def __init__(self) -> None:
        self.now = 50.0
        self.left = TimeLeft(lambda: self.now)

    def hear(
        self, after: float, kind: str, what: str, done: int, total: int, data: dict[str, Any] | None = None
    ) -> None:
        self.now += after
        self.left(Event(kind, what, done, total, data or {}))

    def train(self, what: str, steps: int, seconds_each: float) -> None:
        for step in range(1, steps + 1):
            self.hear(seconds_each, "step", what, step, steps, LOSS)

    def seconds(self) -> float:
        found = self.left.left()
        assert found is not None
        assert not found.at_least
        return found.seconds


def test_encoding_alone_is_a_lower_bound() -> None:
    watch = Watch()
    assert watch.left.left() is None
    watch.hear(0, "run", "late-s0", 0, 2, {"label": "late", "ahead": ["cross"]})
    watch.hear(0, "encode", "images", 10, 110)
    assert watch.left.left() is None
    watch.hear(5, "encode", "images", 60, 110)
    assert watch.left.left() == Left(5.0, at_least=True)
    watch.hear(5, "encode", "texts", 1, 900)
    assert watch.left.left() is None, "texts are encoded at another speed"


def test_a_single_run_counts_its_own_steps() -> None:
    watch = Watch()
    watch.train("late, seed 0", 4, 0.5)
    watch.hear(0, "step", "cross, seed 0", 10, 40, LOSS)
    watch.hear(6, "step", "cross, seed 0", 13, 40, LOSS)
    assert watch.seconds() == pytest.approx(54)
    watch.hear(54, "step", "cross, seed 0", 40, 40, LOSS)
    watch.hear(6, "step", "cross, seed 0: scoring val", 100, 300)
    watch.hear(4, "step", "cross, seed 0: scoring val", 200, 300)
    assert watch.seconds() == pytest.approx(4)


def test_fusions_ahead_take_what_their_earlier_seeds_took() -> None:
    watch = Watch()
    ahead = ["cross", "late", "cross"]
    watch.hear(0, "run", "late-s0", 0, 4, {"label": "late", "ahead": ahead})
    watch.hear(1, "step", "late, seed 0", 1, 5, LOSS)
    watch.hear(2, "step", "late, seed 0", 2, 5, LOSS)
    # this run: 3 s are gone, 6 s left; nothing else is known, so the three others are taken to be like it
    assert watch.seconds() == pytest.approx(6 + 3 * 9)
    watch.hear(7, "run", "cross-s0", 1, 4, {"label": "cross", "ahead": ahead[1:]})  # late took 10 s
    assert watch.seconds() == pytest.approx(10 + 10 + 10)
    watch.hear(1, "step", "cross, seed 0", 1, 3, LOSS)
    watch.hear(20, "step", "cross, seed 0", 2, 3, LOSS)
    assert watch.seconds() == pytest.approx(20 + 10 + (21 + 20))
    watch.hear(29, "run", "late-s1", 2, 4, {"label": "late", "ahead": ahead[2:]})  # cross took 50 s
    assert watch.seconds() == pytest.approx(10 + 50)
    watch.hear(4, "step", "late, seed 1", 1, 5, LOSS)
    assert watch.seconds() == pytest.approx(6 + 50)


def test_a_run_that_was_finished_before_says_nothing_of_the_others() -> None:
    watch = Watch()
    watch.hear(0, "run", "late-s0", 0, 2, {"label": "late", "ahead": ["cross"]})
    watch.hear(0.1, "run", "cross-s0", 1, 2, {"label": "cross", "ahead": []})
    assert watch.left.left() is None
    watch.hear(0, "step", "cross, seed 0", 1, 3, LOSS)
    watch.hear(3, "step", "cross, seed 0", 2, 3, LOSS)
    assert watch.seconds() == pytest.approx(3)


def test_side_by_side_runs_share_what_is_ahead() -> None:
    watch = Watch()
    beside = {"side_by_side": 2}
    watch.hear(0, "run", "", 0, 4, beside)
    for what in ("a", "b"):
        watch.hear(0, "step", what, 1, 11, LOSS)
    watch.hear(10, "step", "a", 6, 11, LOSS)
    # a: 10 s left of 20; two more runs of 20 s on two processes
    assert watch.seconds() == pytest.approx(10 + 20)
    watch.hear(10, "run", "a", 1, 4, beside)
    watch.hear(0, "step", "b", 6, 11, LOSS)
    assert watch.seconds() == pytest.approx(20 + 20 / 2)
