"""Matching in the report: audit, gallery, what chance is, badges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plait.report.flags import FLAG_WORDS
from plait.report.page import write_report
from plait.tasks.match.show.page import PAGE
from tests.report.sample import HOSTILE, sample_gallery, sample_results

AUDIT: dict[str, Any] = {
    "noise_accuracy": 4.86,
    "chance": 4.17,
    "bound": 12.5,
    "batch": 24,
    "seeds": 6,
    "photos": 5,
    "ablation_bound": 80.0,
    "dead_parameters": 3,
    "verdict": "Sound: <b>noise</b>.",
    "ablations": {
        "whole": {"t2i_r1": 20.0, "i2t_r1": 30.0},
        "text shuffled": {"t2i_r1": 1.0, "i2t_r1": 0.5},
        "image shuffled": {"t2i_r1": 0.0, "i2t_r1": 2.0},
    },
}


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return sample_results(photos=50, seeds=2, fusions=("late", "cross"))


def _page(results: dict[str, Any], gallery: dict[str, Any] | None, tmp_path: Path) -> str:
    return write_report(results, gallery, tmp_path / "report.html", page=PAGE).read_text(encoding="utf-8")


def test_the_audit_has_one_row_per_fusion(results: dict[str, Any], tmp_path: Path) -> None:
    other = AUDIT | {"ablations": AUDIT["ablations"] | {"whole": {"t2i_r1": 50.0, "i2t_r1": 10.0}}}
    late, cross = ([row for row in results["rows"] if row["fusion"] == name] for name in ("late", "cross"))
    rows = [late[0] | {"audit": AUDIT}, late[1] | {"audit": other, "flags": ["single-key"]}, *cross]
    text = _page({**results, "rows": rows}, None, tmp_path)
    audit = text[text.index('id="audit"') : text.index('id="cost-section"')]
    held_out, noise = audit.split('id="audit-noise"')
    # five photos, whose chance is one in five, whatever the chance in noise is; (30 + 50) / 2
    assert "<td>5</td><td>20.0</td><td>40.0</td><td>1.0</td><td>2.0</td><td>80.0</td><td>3</td>" in held_out
    assert "<td>24 under 6 seeds</td><td>4.2</td><td>4.9</td><td>12.5</td>" in noise
    assert "4.2" not in held_out
    assert f'title="{FLAG_WORDS["single-key"][1]}">single-key<' in audit
    assert "&lt;b&gt;noise" in audit
    assert ">cross<" not in audit
    assert "These runs were not audited." in _page(results, None, tmp_path)


def test_chance_is_one_photo_of_all(results: dict[str, Any], tmp_path: Path) -> None:
    text = _page(results, None, tmp_path)
    assert "The dashed tick is chance (Text → image R@1: 2.0 %, Image → text R@1: 2.0 %)." in text
    assert "<b>2.0<small>%</small></b><span>chance<br>text-to-image R@1</span>" in text
    assert PAGE.floors([], {}) == {"binding_accuracy": 50.0}


def test_binding_ranks_where_it_was_measured(results: dict[str, Any], tmp_path: Path) -> None:
    means = {"late": 90.0, "cross": 60.0}
    summary = [
        entry | {"binding_accuracy": {"mean": means[entry["fusion"]], "low": 50.0, "high": 99.0}}
        for entry in results["summary"]
    ]
    text = _page({**results, "summary": summary}, None, tmp_path)
    assert text.index('<tr data-fusion="late">') < text.index('<tr data-fusion="cross">')
    assert "Binding: 50.0 %" in text


def test_a_fusion_says_how_it_is_paired(results: dict[str, Any], tmp_path: Path) -> None:
    text = _page(results, None, tmp_path)
    assert ">itm, top 16</span>" in text
    assert ">all</span>" in text


def test_the_gallery_has_one_block_per_fusion(results: dict[str, Any], tmp_path: Path) -> None:
    gallery = sample_gallery(fusions=("late", "cross"), hostile=True)
    text = _page(results, gallery, tmp_path)
    shown = text[text.index('id="gallery"') : text.index('id="attention-section"')]
    assert shown.count('class="block"') == 2
    assert shown.count("photo-card") == shown.count("caption-card") == 12
    assert HOSTILE not in shown
    assert "its own 2 captions" in shown
    assert "✓ found at rank 1" in shown
    assert "the right photo is not among these" in shown
    assert 'title="score (cosine)"' in shown
    gallery["by_photo"] = gallery["by_caption"] = []
    assert "No gallery was made" in _page(results, gallery, tmp_path)
