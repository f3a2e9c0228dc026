"""Flags: each once, with its meaning; charts without what cannot be ranked."""

from __future__ import annotations

from pathlib import Path

from plait.report.flags import FLAG_WORDS, flag_badges, flags_of_runs, legend
from plait.report.page import write_report
from plait.tasks.match.show.page import PAGE
from tests.report.sample import sample_results


def test_flags_come_once_with_their_meaning() -> None:
    rows = [{"fusion": "a", "flags": ["leaky"]}, {"fusion": "a", "flags": ["leaky"], "status": "failed"}]
    assert flags_of_runs({"flags": ["leaky"]}, rows) == ["leaky", "failed"]
    assert legend(rows).count("the score has read the answer") == 1
    assert legend([{"fusion": "a", "flags": []}]) == ""
    assert f'title="{FLAG_WORDS["failed"][1]}">failed: 1 of 2<' in flag_badges({}, rows)
    assert ">unheard of<" in flag_badges({"flags": ["unheard of"]}, [])


def test_leaky_fusions_are_last_and_not_drawn(tmp_path: Path) -> None:
    results = sample_results(photos=60)
    results["rows"] = [row | {"flags": ["leaky"]} if row["fusion"] == "scan_t2i" else row for row in results["rows"]]
    text = write_report(results, None, tmp_path / "page.html", page=PAGE).read_text(encoding="utf-8")
    assert "Not drawn, because leaky: scan_t2i." in text
    board = text[text.index('id="leaderboard"') : text.index('id="tests-section"')]
    assert board.rindex('data-fusion="') == board.index('data-fusion="scan_t2i"')
    charts = text[text.index('id="cost-section"') : text.index('id="gallery-section"')]
    assert ">scan_t2i<" not in charts
    assert ">late<" in charts
