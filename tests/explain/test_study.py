"""A study of many images: a method that finds the cell, and one that does not."""

from __future__ import annotations

import numpy as np
import pytest

from plait.core.errors import InputError, UnknownNameError
from plait.core.tables import Entry
from plait.explain.methods import METHODS
from plait.explain.methods.relevance import Relevance
from plait.explain.study import Case, study
from plait.explain.subject import Subject
from tests.explain.toys import CELLS, GRID, SPOT, known_subject


def even(subject: Subject) -> Relevance:
    """Give a map that says nothing."""
    return Relevance(np.ones(CELLS), np.ones((2, CELLS)), signed=False)


def cases(count: int = 6) -> list[Case]:
    region = np.zeros(GRID)
    region.ravel()[SPOT] = 0.3
    return [Case(known_subject(), region) for _ in range(count)]


def test_a_faithful_method_and_one_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    found = study(cases(), method="occlusion", progress=seen.append)
    assert seen == [1, 2, 3, 4, 5, 6]
    assert found["deletion_gain"]["low"] > 0
    assert found["insertion_gain"]["low"] > 0
    assert found["pointing"]["mean"] == 100.0
    assert found["pointing_centre"]["mean"] == 0.0
    assert found["pointing_chance"] == pytest.approx(5.0)
    assert found["sentences"][0] == "Deletion is better than random orders."
    monkeypatch.setitem(METHODS, "even", Entry("tests.explain.test_study:even", "-", "-", "-"))
    nothing = study([Case(case.subject) for case in cases()], method="even")
    assert "nearly even" in nothing["sentences"][0]
    assert nothing["pointing"] is None
    assert nothing["deletion_gain"]["low"] <= 0.05


def test_what_is_refused() -> None:
    with pytest.raises(InputError, match="at least two images, got 1"):
        study(cases(1), method="occlusion")
    with pytest.raises(UnknownNameError, match="oclusion"):
        study(cases(), method="oclusion")
