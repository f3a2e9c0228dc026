"""The page's audit: a row a fusion, flags with their meaning, and charts without what cannot be ranked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plait.report.audit import FLAG_WORDS, audit_table, flags_of_runs, legend
from plait.report.page import write_report
from tests.report.sample import sample_results

AUDIT: dict[str, Any] = {
    "noise_accuracy": 4.86,
    "chance": 4.17,
    "dead_parameters": 3,
    "verdict": "Sound: <b>noise</b>.",
    "ablations": {
        "whole": {"t2i_r1": 20.0, "i2t_r1": 30.0},
        "text shuffled": {"t2i_r1": 1.0, "i2t_r1": 0.5},
        "image shuffled": {"t2i_r1": 0.0, "i2t_r1": 2.0},
    },
}


def test_a_row_a_fusion() -> None:
    other = AUDIT | {"ablations": AUDIT["ablations"] | {"whole": {"t2i_r1": 50.0, "i2t_r1": 10.0}}}
    rows = [{"fusion": "a", "flags": [], "audit": AUDIT}, {"fusion": "a", "flags": ["single-key"], "audit": other}]
    text = audit_table([*rows, {"fusion": "b", "flags": []}], ["a", "b"])
    assert "<td>4.9</td><td>4.2</td><td>40.0</td><td>1.0</td><td>2.0</td><td>3</td>" in text  # (30 + 50) / 2
    assert f'title="{FLAG_WORDS["single-key"][1]}">single-key<' in text
    assert "&lt;b&gt;noise" in text
    assert ">b<" not in text
    assert "not audited" in audit_table([{"fusion": "b"}], ["b"])


def test_flags_come_once_with_their_meaning() -> None:
    rows = [{"fusion": "a", "flags": ["leaky"]}, {"fusion": "a", "flags": ["leaky"], "status": "failed"}]
    assert flags_of_runs({"flags": ["leaky"]}, rows) == ["leaky", "failed"]
    assert legend(rows).count("the score has read the answer") == 1
    assert legend([{"fusion": "a", "flags": []}]) == ""


def test_leaky_fusions_are_last_and_not_drawn(tmp_path: Path) -> None:
    results = sample_results(photos=60)
    results["rows"] = [row | {"flags": ["leaky"]} if row["fusion"] == "scan_t2i" else row for row in results["rows"]]
    text = write_report(results, None, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Not drawn, because leaky: scan_t2i." in text
    board = text[text.index('id="leaderboard"') : text.index('id="audit-section"')]
    assert board.rindex('data-fusion="') == board.index('data-fusion="scan_t2i"')
    charts = text[text.index('id="cost-section"') : text.index('id="gallery-section"')]
    assert ">scan_t2i<" not in charts
    assert ">late<" in charts
