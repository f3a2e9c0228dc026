from __future__ import annotations

import json
from typing import Any

import pytest

from plait.core.made import MADE, figures_of, joined, parted


def results(**times: Any) -> dict[str, Any]:
    """Give results of two runs; what `times` names varies."""
    seconds, command = times.get("seconds", 1.5), times.get("command", "plait compare --out a")
    row = {"fusion": "late", "metrics": {"t2i_r1": 20.0}, "train_s": seconds, "threads": 2}
    row["curve"] = [{"epoch": 1, "loss": 2.0, "seconds": seconds}, {"epoch": 2, "loss": 1.0}]
    return {
        "task": "match",
        "plait": "0.1.0",
        "versions": {"torch": times.get("torch", "2")},
        "command": command,
        "rows": [{"fusion": "none", "status": "failed"}, row],
        "summary": [{"fusion": "late", "step_ms": 10 * seconds, "t2i_r1": {"mean": 20.0}}],
        "settings": {"train": {"device": "a word of the recipe", "seed": 0}},
    }


def test_what_varies_lies_apart_at_the_end_and_the_rest_is_equal_to_the_byte() -> None:
    one, other = parted(results()), parted(results(seconds=9.25, command="plait compare --out b", torch="3"))
    assert list(one)[-1] == MADE
    assert one[MADE] != other[MADE]
    assert json.dumps(figures_of(one)).encode() == json.dumps(figures_of(other)).encode()
    assert one["rows"][1] == {
        "fusion": "late",
        "metrics": {"t2i_r1": 20.0},
        "curve": [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0}],
    }
    assert one[MADE]["rows"] == [{}, {"train_s": 1.5, "threads": 2, "curve": [{"seconds": 1.5}, {}]}]
    assert one["settings"] == results()["settings"], "a key of a recipe is never taken apart"


@pytest.mark.parametrize("form", [parted, lambda found: found])
def test_joined_gives_one_tree_from_either_form(form: Any) -> None:
    assert joined(form(results())) == results()
    assert parted(form(results())) == parted(results())


def test_rows_that_do_not_fit_what_was_made_are_left_as_they_are() -> None:
    written = parted(results())
    written["rows"] = written["rows"][:1]
    assert joined(written)["rows"] == [{"fusion": "none", "status": "failed"}]
    assert joined({**results(), MADE: "a word"}) == results()
