"""Tables for a terminal, from the metrics of a task that nobody knows."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

from plait.core.metric import Metric
from plait.report.terminal import board, figure, figure_lines, table

METRICS = (
    Metric(key="hit", label="hit rate", column="Hits", short="hit"),
    Metric(key="rank", label="rank", column="Rank", unit="", bounds=(1.0, math.inf), higher_is_better=False),
    Metric(key="none", label="hit rate of nothing", column="Hits of nothing", short="nothing"),
)


def _results() -> dict[str, Any]:
    def cell(mean: float) -> dict[str, float]:
        return {"mean": mean, "low": mean - 1, "high": mean + 1}

    costs = {"params": 12_345, "step_ms": 4.4, "train_s": 61.0}
    entry = {"tokens": "tokens", "seeds": 2, "flags": [], **costs, "none": cell(5.0), "rank": cell(3.0)}
    rows = [
        {"run": "runs/cross-s0", "status": "ok", "reason": ""},
        {"run": "runs/late-s0", "status": "failed", "reason": "the loss became nan"},
    ]
    data = {"name": "apples", "eval_split": "val", "splits": {"val": {"photos": 1200, "captions": 3}}}
    summary = [{**entry, "fusion": "cross", "hit": cell(60.0)}, {**entry, "fusion": "late", "flags": ["leaky"]}]
    return {"summary": summary, "rows": rows, "data": data, "verdict": "cross is better. So it is."}


def test_a_board_is_headed_by_its_metrics() -> None:
    show = board(
        METRICS,
        items="questions",
        intervals=("hit",),
        means=("rank",),
        columns={"way": lambda entry: f"of {entry['fusion']}"},
        baselines=("none",),
        notes=lambda results: ["a note"],
    )
    lines = "\n".join(show(_results())).splitlines()
    assert lines[:3] == ["apples, split val: 1,200 photos, 3 questions", "a note", ""]
    assert lines[3].split("  ")[0] == "fusion"
    assert lines[3].split()[-9:] == ["95", "%", "Rank", "params", "step", "ms", "train", "s", "flags"]
    assert " hit % " in lines[3]
    assert lines[5].split() == ["cross", "tokens", "of", "cross", "2", "60.0", "59.0-61.0", "3", "12,345", "4", "61"]
    assert lines[6].split()[-1] == "leaky"
    assert lines[7].split() == ["(nothing)", "5.0", "4.0-6.0"]
    assert lines[8:] == ["", "cross is better. So it is.", "runs/late-s0: the loss became nan"]


def test_a_board_without_results_says_what_failed() -> None:
    results = {**_results(), "summary": []}
    assert board(METRICS, items="questions", intervals=("hit",))(results)[-1] == "runs/late-s0: the loss became nan"


def test_lines_leave_out_what_was_not_measured() -> None:
    show = figure_lines(METRICS, ("hit", "rank"), ("none",))
    assert show({"hit": 48.25, "rank": 29.0}) == ["hit 48.2, Rank 29"]
    assert figure(METRICS[0], None) == ""


def test_numbers_are_aligned_right() -> None:
    assert table([["a", "1"], ["bb", "10"]], ["name", "n"]) == "name   n\n────  ──\na      1\nbb    10"


def test_tables_and_pages_need_no_numpy() -> None:
    code = (
        "import sys\nfrom plait.tasks import all_tasks\n"
        "for task in all_tasks():\n    task.load_terminal(), task.load_card(), task.load_page()\n"
        "print([name for name in ('torch', 'numpy', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "[]", done.stderr
