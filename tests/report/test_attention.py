"""Attention maps: which are drawn, and which are so even that the page says so."""

from __future__ import annotations

from typing import Any

import pytest

from plait.report.charts.attention import attention_maps, attention_section, evenness


def _entry(weights: list[list[float]], what: str = "text->image attention, layer 0, one head") -> dict[str, Any]:
    words = ["word"] * len(weights)
    return {
        "fusion": "cross",
        "photo": "p",
        "caption": "c",
        "words": words,
        "grid": [2, 2],
        "weights": weights,
        "what": what,
    }


def test_evenness_is_entropy_over_that_of_even_weights() -> None:
    assert evenness([[0.25] * 4], by_cell=False) == pytest.approx(1.0)
    assert evenness([[1.0, 0.0, 0.0, 0.0]], by_cell=False) == pytest.approx(0.0)
    assert evenness([[0.5, 0.5, 0.0, 0.0], [0.25] * 4], by_cell=False) == pytest.approx(0.75)
    # cells that attend to two words: the queries are the columns
    assert evenness([[0.5, 1.0], [0.5, 0.0]], by_cell=True) == pytest.approx(0.5)
    assert evenness([[0.2, 0.2], [0.2, 0.2]], by_cell=True) == pytest.approx(1.0), "special tokens took the rest"


def test_evenness_needs_a_choice() -> None:
    assert evenness([[0.3, 0.7]], by_cell=True) is None
    assert evenness([[0.0, 0.0]], by_cell=False) is None
    assert evenness([], by_cell=False) is None


def test_nearly_even_maps_are_marked() -> None:
    sharp, even = [[0.97, 0.01, 0.01, 0.01]], [[0.26, 0.25, 0.25, 0.24]]
    shown = attention_maps({"attention": [_entry(sharp), _entry(even), _entry(even * 2, "image->text (transposed)")]})
    assert [(entry["by_cell"], entry["even"]) for entry in shown] == [(False, False), (False, True), (True, True)]


@pytest.mark.parametrize("change", [{"grid": [3, 3]}, {"words": ["a", "b"]}, {"weights": [[0.1, None, 0.2, 0.3]]}])
def test_maps_that_do_not_fit_are_left_out(change: dict[str, Any]) -> None:
    assert attention_maps({"attention": [{**_entry([[0.25] * 4]), **change}]}) == []
    assert "There are no attention maps" in attention_section([])
