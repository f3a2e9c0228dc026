"""Numbers as words and as pictures: units, ticks, and marks where they belong."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest

from plait.core.metric import Metric
from plait.report.charts.bars import interval_bar
from plait.report.charts.curves import curves, plain_lines
from plait.report.charts.scatter import scatter
from plait.report.charts.ticks import log_ticks, nice_ticks
from plait.report.text import (
    MISSING,
    cell_of,
    count,
    figure,
    inline_json,
    name_text,
    number_of,
    seconds,
    thousands,
    value_of,
)

RECALL = Metric(key="t2i_r1", label="recall", column="Recall")
RANK = Metric(key="rank", label="rank", column="Rank", unit="", higher_is_better=False)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 23, [0, 5, 10, 15, 20, 25]),
        (0, 100, [0, 25, 50, 75, 100]),
        (18.2, 21.9, [18, 19, 20, 21, 22]),
        (0, 0.7, [0, 0.2, 0.4, 0.6, 0.8]),
        (5, 5, [5, 6.25]),
    ],
)
def test_ticks_are_round_and_span_the_data(low: float, high: float, expected: list[float]) -> None:
    ticks = nice_ticks(low, high)
    assert ticks[0] <= low
    assert ticks[-1] >= high
    if low < high:
        assert ticks == expected


def test_figures_in_their_units() -> None:
    assert (thousands(950), thousands(1234), thousands(12_345), thousands(4_560_000)) == (
        "950",
        "1.2 k",
        "12 k",
        "4.56 M",
    )
    assert (seconds(0.82), seconds(42.4), seconds(200), seconds(7500)) == ("0.8 s", "42 s", "3 min 20 s", "2 h 05 min")
    assert (seconds(59.7), seconds(3599.8)) == ("1 min 00 s", "1 h 00 min")
    assert figure(-1234.56) == "−1\u202f234.6"
    assert (count(1, "photo"), count(2000, "photo")) == ("1 photo", "2\u202f000 photos")
    assert figure(None) == thousands("x") == seconds(float("nan")) == MISSING


def test_what_is_no_number_is_missing() -> None:
    assert [number_of(v) for v in (None, True, "3", float("inf"), 3)] == [None, None, None, None, 3.0]
    assert cell_of({"m": {"mean": 2.0, "low": None}}, "m") == (2.0, 2.0, 2.0)
    assert cell_of({"m": {"mean": float("nan")}}, "m") is None
    assert cell_of({"m": 3.0}, "m") is None


def test_inline_json_cannot_end_its_script() -> None:
    value = {"text": "</script><!-- \u2028 & >", "bad": [float("nan"), float("inf")], "path": object}
    text = inline_json(value)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text)["text"] == value["text"]
    assert json.loads(text)["bad"] == [None, None]


def test_bar_puts_its_marks_in_proportion() -> None:
    bar = interval_bar((20.0, 10.0, 30.0), ends=(0.0, 40.0), floor=5.0, colour=2, label="late <b>")
    assert re.search(r'class="dot" cx="64.0"', bar)
    assert re.search(r'class="band" x="32.0" [^>]*width="64.0"', bar)
    assert re.search(r'class="floor" x1="16.0"', bar)
    assert "late &lt;b&gt;" in bar
    assert "floor" not in interval_bar((1.0, 1.0, 1.0), ends=(0.0, 4.0), floor=50.0, colour=0, label="x")
    below = interval_bar((0.0, -0.5, 0.5), ends=(-1.0, 1.0), floor=None, colour=0, label="x")
    assert re.search(r'class="dot" cx="64.0"', below)


@pytest.mark.parametrize("low", [0.03, 0.9, 1.01, 47.0, 99_000.0, 3.3e6])
@pytest.mark.parametrize("ratio", [1.69, 2.5, 40.0])
def test_a_logarithmic_axis_has_two_ticks_or_more(low: float, ratio: float) -> None:
    ticks = log_ticks(low, low * ratio)
    assert 2 <= len(ticks) <= 5
    assert all(low <= tick <= low * ratio for tick in ticks)


@pytest.mark.parametrize("key", ["step_ms", "train_s", "params"])
@pytest.mark.parametrize("cost", [0.4, 7.0, 65.0, 200.0, 4000.0, 117_217.0])
def test_one_cost_still_has_an_axis(key: str, cost: float) -> None:
    cost = max(cost, 7.0) if key == "params" else cost
    summary = [{"fusion": "a", key: cost, "t2i_r1": {"mean": 3.0, "low": 2.0, "high": 4.0}}]
    drawn = scatter(summary, key, title="Cost", order=["a"], metric=RECALL)
    labels = re.findall(r'text-anchor="middle">([^<]+)<', drawn)[:-1]
    assert len(labels) >= 2
    assert len(set(labels)) == len(labels)


def test_values_have_the_digits_of_their_unit() -> None:
    assert [value_of(RECALL, v) for v in (12.34, 0.0, -0.04, None)] == ["12.3", "0.0", "0.0", MISSING]
    assert value_of(RECALL, -2.0, sign=True) == "−2.0"
    assert [value_of(RANK, v) for v in (29.0, 3.333, 1234.5, 0.0)] == ["29", "3.33", "1,234", "0"]


def test_only_long_names_may_break_and_not_inside_a_word() -> None:
    assert name_text("self_cross") == "self_cross"
    assert name_text("self_cross_printed") == "self_<wbr>cross_<wbr>printed"
    assert name_text("<b>") == "&lt;b&gt;"


def test_curves_leave_out_what_was_not_recorded() -> None:
    rows = [
        {"fusion": "a", "seed": 0, "curve": [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0}]},
        {"fusion": "b", "seed": 0, "curve": [{"epoch": 1, "loss": float("nan")}]},
    ]
    drawn = curves(rows, "loss", title="loss", unit="", order=["a", "b"])
    assert drawn.count("<polyline") == 1
    assert "a, seed 0: 1 after epoch 2" in drawn
    assert "No run recorded" in curves(rows, "t2i_r1", title="R@1", unit="%", order=["a", "b"])


def test_one_epoch_and_one_fusion_still_draw() -> None:
    rows = [{"fusion": "a", "seed": 0, "curve": [{"epoch": 1, "loss": 2.0}]}]
    assert "nan" not in curves(rows, "loss", title="loss", unit="", order=["a"])
    summary = [{"fusion": "a", "params": 10, "t2i_r1": {"mean": 3.0, "low": 3.0, "high": 3.0}}, {"fusion": "b"}]
    drawn = scatter(summary, "params", title="parameters", order=["a", "b"], metric=RECALL)
    assert drawn.count('class="point') == 1
    assert "No fusion recorded" in scatter(summary, "step_ms", title="time", order=["a", "b"], metric=RECALL)


def test_labels_move_apart() -> None:
    summary = [
        {"fusion": f"fusion{n}", "train_s": 100.0, "t2i_r1": {"mean": 20 + 0.01 * n, "low": 10.0, "high": 30.0}}
        for n in range(5)
    ]
    drawn = scatter(summary, "train_s", title="time", order=[f"fusion{n}" for n in range(5)], metric=RECALL)
    heights = sorted(float(y) for y in re.findall(r'class="label [^>]*y="([\d.]+)"', drawn))
    assert all(b - a >= 11 for a, b in pairwise(heights))


def test_labels_at_the_ends_of_lines_stay_in_the_chart() -> None:
    order = [f"fusion{n}" for n in range(8)]
    drawn = plain_lines({name: [(0.0, 50.0), (1.0, 0.0)] for name in order}, title="t", x_name="x", order=order)
    heights = sorted(float(y) for y in re.findall(r'class="label [^>]*y="([\d.]+)"', drawn))
    assert heights[-1] <= 206
    assert all(b - a >= 11 for a, b in pairwise(heights))
