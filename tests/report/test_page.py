"""The report as text: complete, escaped, self-contained, and calm about what is missing."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from plait.core.errors import InputError, StorageError
from plait.report.page import write_report as write_page
from plait.report.words import power_sentence
from plait.tasks import find_task
from plait.tasks.match.show.page import PAGE
from tests.report.sample import HOSTILE, sample_gallery, sample_results

RECORDED = Path(__file__).parents[2] / "benchmarks" / "results"
VOID = {"meta", "link", "img", "br", "line", "circle", "rect", "path", "polyline", "wbr"}


class _Reader(HTMLParser):
    """Collects tags, and checks that every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag, f"</{tag}> closes another element"


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return sample_results(photos=60)


def write_report(results: Any, gallery: Any, path: Path) -> Path:
    """Write the page of the sample's task."""
    return write_page(results, gallery, path, page=PAGE)


def _read(path: Path) -> tuple[str, _Reader]:
    text, reader = path.read_text(encoding="utf-8"), _Reader()
    reader.feed(text)
    assert reader.open == []
    return text, reader


def test_tells_everything_the_comparison_found(results: dict[str, Any], tmp_path: Path) -> None:
    path = write_report(results, sample_gallery(), tmp_path / "new" / "report.html")
    text, reader = _read(path)
    for entry in results["summary"]:
        assert f">{entry['fusion']}</span>" in text
        assert f"<b>{entry['t2i_r1']['mean']:.1f}</b>" in text
    assert f"<code>{results['command']}</code>" in text
    assert "captions.csv, row 412" in text
    assert "b1946ac92492d2347c6235b4d2611184" in text
    assert "runs/cross-s2" in text
    assert "itm, top 16" in text
    assert sum(1 for tag, attributes in reader.tags if tag == "svg" and attributes.get("class") == "chart") == 6
    assert not (tmp_path / "new" / "report.html.part").exists()


def test_asks_nothing_of_any_network(results: dict[str, Any], tmp_path: Path) -> None:
    gallery = sample_gallery()
    gallery["photos"]["cat"] = "https://example.org/cat.jpg"
    text, reader = _read(write_report(results, gallery, tmp_path / "report.html"))
    addresses = set(re.findall(r"(?:https?:)//[a-z][\w.-]+|url\([^)]*\)|@import|fetch\(|XMLHttp", text))
    assert addresses <= {"http://www.w3.org"}, "only the names of SVG's namespace may stand here"
    assert all(tag not in ("iframe", "object", "embed") for tag, _ in reader.tags)
    policy = next(a["content"] for tag, a in reader.tags if tag == "meta" and "Content-Security" in str(a.values()))
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "script-src 'sha256-" in policy


def test_escapes_everything_a_user_can_write(results: dict[str, Any], tmp_path: Path) -> None:
    hostile = json.loads(json.dumps(results).replace('"late"', json.dumps(HOSTILE)))
    hostile["data"] |= {"name": HOSTILE, "origin": HOSTILE, "skipped": [{"where": HOSTILE, "reason": HOSTILE}]}
    hostile |= {"command": HOSTILE, "verdict": HOSTILE, "settings": {HOSTILE: HOSTILE}, "plait": HOSTILE}
    path = write_report(hostile, sample_gallery(hostile=True), tmp_path / "report.html")
    text, reader = _read(path)
    assert HOSTILE not in text
    assert "<script>window" not in text
    assert sum(1 for tag, _ in reader.tags if tag == "script") == 2
    assert not any(name.startswith("on") for _, attributes in reader.tags for name in attributes)
    data = re.search(r'id="page-data">(.*?)</script>', text, flags=re.DOTALL)
    assert data is not None
    assert HOSTILE in json.loads(data.group(1))["order"]


def test_pictures_tables_and_controls_have_names(results: dict[str, Any], tmp_path: Path) -> None:
    text, reader = _read(write_report(results, sample_gallery(), tmp_path / "report.html"))
    for tag, attributes in reader.tags:
        if tag == "svg":
            assert attributes.get("aria-label") or attributes.get("aria-hidden") == "true"
    assert text.count("<table") == text.count("<caption")
    assert 'lang="en"' in text


def test_says_what_is_missing(tmp_path: Path) -> None:
    one = sample_results(photos=30, seeds=1, fusions=("late",))
    text, _ = _read(write_report(one, None, tmp_path / "one.html"))
    assert "There is one fusion, so there is nothing to test." in text
    assert "No gallery was made" in text
    assert "There are no attention maps" in text
    assert '<span class="badge warn">1 seed</span>' in text

    bare, _ = _read(write_report({"rows": []}, {}, tmp_path / "bare.html"))
    for said in ("No run has finished yet.", "No training curve", "No run is recorded", "The command was not recorded"):
        assert said in bare
    empty, _ = _read(write_report({"summary": [{"fusion": "a"}, {"fusion": "b"}]}, None, tmp_path / "empty.html"))
    assert "No test is recorded." in empty
    assert "No verdict is recorded." in empty


def test_failed_and_leaky_fusions_are_marked_not_lost(results: dict[str, Any], tmp_path: Path) -> None:
    changed = json.loads(json.dumps(results))
    first = changed["rows"][0]
    changed["rows"] += [
        {**first, "fusion": "concat", "status": "did not train", "metrics": {}, "curve": []},
        {**first, "fusion": "broken", "status": "failed", "metrics": {"t2i_r1": float("nan")}, "curve": []},
    ]
    changed["rows"][0]["flags"] = ["leaky"]
    changed["rows"][1]["status"] = "failed"
    text, _ = _read(write_report(changed, None, tmp_path / "report.html"))
    assert re.search(r'data-fusion="concat">.*?badge bad"[^>]*>did not train<', text)
    assert re.search(r'data-fusion="broken">.*?badge bad"[^>]*>failed<', text)
    assert re.search(r'data-fusion="late">.*?>leaky<.*?>failed: 1 of 3<', text)
    assert "Not drawn, because leaky: late." in text
    assert "nan" not in re.sub(r"[\w+/=]{200,}", "", text).lower().replace("maintenance", "")


def test_maps_that_do_not_fit_their_grid_are_left_out(results: dict[str, Any], tmp_path: Path) -> None:
    gallery = sample_gallery()
    for entry in gallery["attention"]:
        entry["grid"] = [3, 3]
    text, _ = _read(write_report(results, gallery, tmp_path / "report.html"))
    assert "There are no attention maps" in text


def test_writing_again_gives_the_same_page(results: dict[str, Any], tmp_path: Path) -> None:
    first = write_report(results, sample_gallery(), tmp_path / "a.html").read_bytes()
    assert write_report(results, sample_gallery(), tmp_path / "a.html").read_bytes() == first


def test_refuses_what_are_no_results(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"with 'rows' or 'summary', got \['x'\]; pass its results.json"):
        write_report({"x": 1}, None, tmp_path / "report.html")
    with pytest.raises(InputError, match="got list"):
        write_report([], None, tmp_path / "report.html")  # type: ignore[arg-type]
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        write_report({"rows": []}, None, tmp_path / "file" / "report.html")


def test_effect_sizes_power_and_matched_budgets_are_told(results: dict[str, Any], tmp_path: Path) -> None:
    power = results["power"]
    budget = {"match": "params", "reference": "late", "width": 184, "params": 394_000, "off": -0.021}
    summary = [{**entry, "budget": budget} for entry in results["summary"]]
    text, _ = _read(write_report({**results, "summary": summary}, None, tmp_path / "report.html"))
    for row in power:
        assert power_sentence(row) in text
    assert "width 184" in text
    assert "matched to late: 394 k parameters, -2.1 %" in text
    standard = results["tests"][0]["d_z"]
    assert f"; d_z {standard['value']:.2f} ({standard['low']:.2f} to {standard['high']:.2f})" in text
    budget = {"match": "time", "reference": "late", "steps": 1234, "seconds": 61.0}
    text, _ = _read(write_report({**results, "summary": [{**summary[0], "budget": budget}]}, None, tmp_path / "b.html"))
    assert "matched to late: 1 min 01 s of training; steps were timed before it" in text


def test_the_finding_is_large_and_the_rest_below_it(results: dict[str, Any], tmp_path: Path) -> None:
    text, _ = _read(write_report(results, None, tmp_path / "old.html"))
    assert 'class="finding"' not in text, "a text without parts is no headline, however it is punctuated"
    assert '<p class="rest">scan_t2i is better than late by 9.1 points (p &lt; 0.001 after Holm). The rest' in text
    assert 'class="warnings"' not in text
    parts = {"finding": "scan_t2i is best; late is last", "rest": ["One.", "Two <b>."], "warnings": ["One <seed>."]}
    text, _ = _read(write_report({**results, "verdict_parts": parts}, None, tmp_path / "new.html"))
    assert '<p class="finding">scan_t2i is best; late is last.</p>' in text
    assert '<p class="rest">One.</p><p class="rest">Two &lt;b&gt;.</p><ul class="warnings"' in text
    assert "<li>One &lt;seed&gt;.</li></ul>" in text
    assert "The rest is not distinguishable." not in text


def test_results_of_earlier_versions_are_read(results: dict[str, Any], tmp_path: Path) -> None:
    cell = {"mean": 7.25, "low": 7.25, "high": 7.25}
    summary = [{**entry, "t2i_r1_luck": cell} for entry in results["summary"]]
    text, _ = _read(write_report({**results, "summary": summary}, None, tmp_path / "report.html"))
    assert "Text → image R@1, random order of candidates %" in text
    assert "<b>7.2</b>" in text


@pytest.mark.parametrize("path", sorted(RECORDED.glob("*.json")), ids=lambda path: path.stem)
def test_recorded_results_still_render(path: Path, tmp_path: Path) -> None:
    recorded = json.loads(path.read_text(encoding="utf-8"))
    if "summary" not in recorded:
        pytest.skip("no comparison")
    page = find_task(recorded["task"]).load_page()
    text, _ = _read(write_page(recorded, None, tmp_path / "report.html", page=page))
    assert all(entry["fusion"] in text.replace("<wbr>", "") for entry in recorded["summary"])
    assert "_luck" not in text


def test_times_say_with_what_they_compare(results: dict[str, Any], tmp_path: Path) -> None:
    def told(*ways: tuple[object, object]) -> str:
        rows = [
            {**row, "jobs": jobs, "threads": threads}
            for row, (jobs, threads) in zip(results["rows"], (ways * len(results["rows"])), strict=False)
        ]
        return _read(write_report({**results, "rows": rows}, None, tmp_path / "report.html"))[0]

    assert "Times were taken" not in told((1, 2))
    assert "Times were taken" not in told((None, "<b>"))
    assert (
        "Times were taken with 2 runs side by side, 1 thread each: they compare with each other, not with those of "
        "other comparisons."
    ) in told((2, 1))
    assert (
        "Times were taken in several ways (1 run at a time, 4 threads each; 2 runs side by side, 2 threads each): "
        "those of different ways do not compare."
    ) in told((2, 2), (1, 4))
