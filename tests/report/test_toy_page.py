"""The contract of a page: a task that the report has never heard of hands in its part, and the page shows it."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

from plait.core.metric import Metric
from plait.report.layout import Badge, Layout, Page, ReportData, View, Words
from plait.report.page import write_report
from plait.report.text import escape

ERROR = Metric(
    key="off_by",
    label="counting error",
    column="Off by",
    meaning="Mean distance of the number said from the number there.",
    unit="",
    bounds=(0.0, math.inf),
    higher_is_better=False,
    headline=True,
    tested=True,
    on_curve=True,
)
CORRELATION = Metric(key="r", label="correlation", column="Correlation", unit="", bounds=(-1.0, 1.0))
ONE = Page(metrics=(ERROR,), layout=Layout(bars=("off_by",)), words=Words(items="questions"))


def _entry(name: str, error: float) -> dict[str, Any]:
    cell = {"mean": error, "low": error - 0.25, "high": error + 0.25}
    costs = {"params": 1000, "step_ms": 2.0, "train_s": 3.0}
    return {"fusion": name, "tokens": "tokens", "seeds": 2, **costs, "off_by": cell}


def _results() -> dict[str, Any]:
    summary = [_entry("late", 2.5), _entry("cross", 0.75)]
    rows = [
        {**entry, "seed": seed, "status": "ok", "run": f"runs/{entry['fusion']}-s{seed}"}
        | {"metrics": {"off_by": entry["off_by"]["mean"]}, "curve": [{"epoch": 1, "loss": 1.0, "off_by": 3.0}]}
        for entry in summary
        for seed in (0, 1)
    ]
    test = {"a": "late", "b": "cross", "metric": "off_by", "difference": 1.75, "low": 1.0, "high": 2.5}
    data = {"name": "apples", "eval_split": "val", "splits": {"val": {"photos": 10, "captions": 30}}}
    tests = [{**test, "p": 0.001, "p_holm": 0.001, "distinguishable": True}]
    return {"task": "count", "rows": rows, "summary": summary, "tests": tests, "data": data, "verdict": "So it is."}


def _shown(tmp_path: Path, page: Page, results: dict[str, Any], gallery: dict[str, Any] | None = None) -> str:
    return write_report(results, gallery, tmp_path / "report.html", page=page).read_text(encoding="utf-8")


def test_a_page_of_one_metric_renders(tmp_path: Path) -> None:
    text = _shown(tmp_path, ONE, _results())
    assert re.search(r'<th[^>]* aria-sort="ascending"><button type="button">Off by</button>', text)
    assert text.index('<tr data-fusion="cross">') < text.index('<tr data-fusion="late">'), "less is better"
    assert "<b>0.75</b><small>0.5 – 1</small>" in text
    assert re.search(r'class="worse" title="late minus cross: \+1\.75 ', text)
    assert re.search(r'class="better" title="cross minus late: −1\.75 ', text)
    assert "best counting error<br>cross" in text
    assert "30 questions" in text
    assert "<dt>Off by</dt><dd>Mean distance" in text
    assert "Off by with its interval. Down and to the left is better." in text
    assert 'id="audit-section"' not in text
    assert "#audit-section" not in text
    assert "No gallery was made" in text
    assert not {"R@1", "mIoU", "chance"} & set(re.findall(r"[\w@]+", text.split("<section", 1)[1].split("<script")[0]))


def test_a_task_brings_floors_badges_views_and_sections(tmp_path: Path) -> None:
    def section(data: ReportData) -> str:
        return (
            f"<p>{escape(data.gallery.get('said', 'nothing'))}, {len(data.drawn_rows)} runs, best {data.order[0]}</p>"
        )

    page = Page(
        metrics=(ERROR, CORRELATION),
        layout=Layout(bars=("off_by", "r"), views=(View("more", "More <b>", ("r",)), View("none", "None", ()))),
        words=Words(items="questions", floor="always saying three", audit="Read it.", meanings=(("Ties", "None."),)),
        floors=lambda summary, data: {"off_by": 1.5},
        figures=lambda data, layout: [("7", "of them")],
        badges=lambda row, runs: [Badge(f"{len(runs)} ways", "a hint")],
        audit=section,
        curves=section,
        gallery=section,
    )
    results = _results()
    results["summary"][0]["r"] = {"mean": -0.5, "low": -0.625, "high": -0.25}
    text = _shown(tmp_path, page, results, {"said": "<i>", "photos": {}})
    assert text.count("<p>&lt;i&gt;, 4 runs, best cross</p>") == 3
    assert "The dashed tick is always saying three (Off by: 1.5)." in text
    assert 'class="floor"' in text
    assert "<b>7</b><span>of them</span>" in text
    assert '<span class="badge plain" title="a hint">2 ways</span>' in text
    assert "More &lt;b&gt;</button>" in text
    assert 'data-view="none"' not in text
    assert ".show-more .view-more" in text
    assert "correlation: −0.5, 95 % interval −0.625 to −0.25" in text


@pytest.mark.parametrize("change", [{"summary": []}, {"rows": []}, {"tests": [], "data": {}}])
def test_what_is_missing_is_no_error(tmp_path: Path, change: dict[str, Any]) -> None:
    assert "So it is." in _shown(tmp_path, ONE, {**_results(), **change})
