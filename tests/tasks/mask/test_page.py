"""The report of masks: headline mIoU, what is read, baselines, pictures; nothing that is not in the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plait.report.flags import FLAG_WORDS
from plait.report.page import write_report
from plait.tasks.mask.show.gallery_section import safe_masks
from plait.tasks.mask.show.page import PAGE
from tests.report.sample import HOSTILE

PICTURE = "data:image/jpeg;base64,AAAA"
METRICS = {
    "miou": 61.0,
    "oiou": 66.0,
    "p50": 70.0,
    "p70": 50.0,
    "p90": 12.0,
    "dice": 71.0,
    "boundary_f": 44.0,
    "miou_text_shuffled": 21.5,
    "miou_text_removed": 18.0,
    "miou_image_removed": 9.0,
    "miou_all_foreground": 15.0,
    "miou_all_background": 0.0,
    "miou_mean_mask": 17.2,
}


def results() -> dict[str, Any]:
    rows, summary = [], []
    mask = {
        "threshold": 0.42,
        "threshold_on": "300 captions of val",
        "by_threshold": [{"threshold": 0.2, "miou": 50.0}, {"threshold": 0.4, "miou": 61.0}],
        "calibration": [{"low": 0.0, "high": 0.1, "share": 0.02, "pixels": 100}],
    }
    for name, gain in (("pixel_word", 0.0), ("film", -8.0)):
        metrics = {k: max(0.0, v + gain) if k == "miou" else v for k, v in METRICS.items()}
        flags = ["ignores the text"] if name == "film" else []
        rows.append(
            {"fusion": name, "tokens": "tokens", "pairing": "own", "seed": 0, "status": "ok", "flags": flags}
            | {"metrics": metrics, "mask": mask, "params": 1000, "step_ms": 20.0, "train_s": 9.0, "run": f"runs/{name}"}
            | {"curve": [{"epoch": 1, "loss": 0.7, "miou": 40.0}, {"epoch": 2, "loss": 0.4, "miou": 55.0}]}
        )
        summary.append(
            {"fusion": name, "tokens": "tokens", "pairing": "own", "seeds": 1, "params": 1000, "flags": flags}
            | {"step_ms": 20.0, "train_s": 9.0}
            | {k: {"mean": v, "low": v - 1, "high": v + 1} for k, v in metrics.items()}
        )
    data = {"name": "toys", "eval_split": "test", "splits": {"test": {"photos": 40, "captions": 80}}}
    return {"task": "mask", "rows": rows, "summary": summary, "tests": [], "data": data, "verdict": "It is. So."}


def _gallery() -> dict[str, Any]:
    result = {"iou": 62.5, "prediction": PICTURE, "error": PICTURE}
    item = {"photo": "p1", "text": HOSTILE, "pictures": {"photo": PICTURE, "truth": "https://example.org/x.jpg"}}
    extreme = {"photo": "p1", "text": "a dog", "fusion": "film", "rank": "worst", "iou": 0.0}
    return {
        "masks": [{**item, "results": {"pixel_word": result, "film": result}}],
        "extremes": [{**extreme, "pictures": {"photo": PICTURE, "error": PICTURE}}],
        "attention": [],
    }


def _page(found: dict[str, Any], gallery: dict[str, Any] | None, tmp_path: Path) -> str:
    return write_report(found, gallery, tmp_path / "report.html", page=PAGE).read_text(encoding="utf-8")


def test_tells_what_is_read_beside_what_reads_nothing(tmp_path: Path) -> None:
    text = _page(results(), _gallery(), tmp_path)
    assert "mIoU %" in text
    assert "R@1" not in text.split("<script")[0]
    assert text.index(">pixel_word</span>") < text.index(">film</span>")
    for said in ("<b>61.0</b>", "<td>21.5</td>", "<td>17.2</td>", "Mean mask", "mIoU: 17.2 %", "80 masks"):
        assert said in text, said
    assert "mIoU by threshold" in text
    assert FLAG_WORDS["ignores the text"][1] in text.replace("&#x27;", "'")
    assert "Boundary F" in text


def test_a_report_of_masks_without_gallery_or_summary_is_calm(tmp_path: Path) -> None:
    text = _page({**results(), "summary": []}, None, tmp_path)
    assert "No gallery was made" in text
    assert "No run has been measured without its text." in text


def test_pictures_from_elsewhere_are_dropped_and_texts_escaped(tmp_path: Path) -> None:
    text = _page(results(), _gallery(), tmp_path)
    shown = text[text.index('id="gallery-section"') : text.index('id="attention-section"')]
    assert "example.org" not in shown
    assert HOSTILE not in shown
    assert "no picture" in shown
    assert shown.index("pixel_word, IoU\u00a062.5\u00a0%") < shown.index("film, IoU\u00a062.5\u00a0%")
    assert "film: best, middle and worst" in shown
    assert "worst, IoU\u00a00.0\u00a0%" in shown
    masks, extremes = safe_masks(_gallery())
    assert list(masks[0]["pictures"]) == ["photo"]
    assert len(extremes) == 1


def test_the_floor_is_the_best_mask_that_reads_nothing() -> None:
    assert PAGE.floors(results()["summary"], {}) == {"miou": pytest.approx(17.2)}
    assert PAGE.floors([], {}) == {}
