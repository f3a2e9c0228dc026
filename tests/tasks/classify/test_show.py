"""Classes in the report, in a terminal, in model cards and in the gallery."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plait.report.page import write_report
from plait.tasks.classify.metrics import METRIC_OF
from plait.tasks.classify.show.card import CARD
from plait.tasks.classify.show.page import PAGE
from plait.tasks.classify.show.terminal import TERMINAL
from plait.tasks.classify.work import WORK
from tests.report.sample import HOSTILE
from tests.tasks.classify.conftest import Trained

PICTURE = "data:image/jpeg;base64,AAAA"
METRICS = {
    "accuracy": 81.0,
    "balanced_accuracy": 79.5,
    "accuracy_top3": 95.0,
    "accuracy_most_common": 12.5,
    "accuracy_image_shuffled": 10.5,
    "accuracy_image_removed": 9.5,
}


def results(classes: tuple[str, ...] = ("cat", HOSTILE)) -> dict[str, Any]:
    count = len(classes)
    table = [[8 if i == j else (i + j) % 2 for j in range(count)] for i in range(count)]
    details = {
        "classes": list(classes),
        "confusion": table,
        "recall": [80.0] * count,
        "most_common": classes[0],
        "new_classes": {"yak": 2},
        "calibration_error": 4.2,
    }
    row = {"fusion": "image_only", "tokens": "tokens", "pairing": "own", "seed": 0, "status": "ok", "flags": []}
    row |= {"metrics": METRICS, "classify": details, "params": 1000, "step_ms": 20.0, "train_s": 9.0, "run": "runs/a"}
    row |= {"curve": [{"epoch": 1, "loss": 0.7, "accuracy": 40.0}, {"epoch": 2, "loss": 0.4, "accuracy": 55.0}]}
    entry = {"fusion": "image_only", "tokens": "tokens", "pairing": "own", "seeds": 1, "params": 1000, "flags": []}
    entry |= {"step_ms": 20.0, "train_s": 9.0}
    entry |= {key: {"mean": value, "low": value - 1, "high": value + 1} for key, value in METRICS.items()}
    data = {"name": "toys", "eval_split": "test", "splits": {"test": {"photos": 40, "captions": 40}}}
    return {"task": "classify", "rows": [row], "summary": [entry], "tests": [], "data": data, "verdict": "It is."}


def gallery() -> dict[str, Any]:
    said = [{"label": "cat", "probability": 0.7}, {"label": HOSTILE, "probability": 0.2}]
    item = {"photo": "p1", "truth": "cat", "picture": PICTURE}
    mistake = {"photo": "p2", "truth": HOSTILE, "picture": "https://example.org/x.jpg", "said": said}
    return {
        "classified": [{**item, "results": {"image_only": said}}],
        "mistakes": [{**mistake, "fusion": "image_only"}],
    }


def page(found: dict[str, Any], shown: dict[str, Any] | None, tmp_path: Path) -> str:
    return write_report(found, shown, tmp_path / "report.html", page=PAGE).read_text(encoding="utf-8")


def test_the_page_shows_what_reads_no_image_and_what_is_confused(tmp_path: Path) -> None:
    text = page(results(), gallery(), tmp_path)
    for said in (
        "<b>81.0</b>",
        "Accuracy: 12.5 %",
        "<td>10.5</td>",
        "40 images",
        "which classes are confused",
        "yak (2)",
    ):
        assert said in text, said
    assert HOSTILE not in text.split("<script")[0]
    shown = text[text.index('id="gallery-section"') : text.index('id="attention-section"')]
    assert "example.org" not in shown
    assert "no picture" in shown
    assert "surest mistakes" in shown


def test_of_many_classes_the_pairs_are_listed(tmp_path: Path) -> None:
    text = page(results(tuple(f"class {i}" for i in range(30))), None, tmp_path)
    assert "class 0 taken for class 1: 1" in text
    assert "Rows: the true class" not in text
    assert "No gallery was made" in text


def test_a_page_without_figures_is_calm(tmp_path: Path) -> None:
    assert "No run has been measured without its image." in page({**results(), "summary": []}, None, tmp_path)
    assert PAGE.floors(results()["summary"], {}) == {"accuracy": pytest.approx(12.5)}
    assert PAGE.floors([], {}) == {}


def test_terminal_and_card() -> None:
    assert list(TERMINAL.run(METRICS)) == [
        "Accuracy 81.0, balanced 79.5, In first 3 95.0",
        "accuracy of Most common class 12.5, other image 10.5, no image 9.5",
    ]
    lines = "\n".join(TERMINAL.board(results())).splitlines()
    assert lines[0] == "toys, split test: 40 photos, 40 images"
    assert any(line.startswith("(Most common class)") for line in lines)
    assert set(CARD.metrics) <= set(METRIC_OF)
    said = CARD.scores({"classify": {"classes": ["a", "b"], "calibration_error": 4.21}})
    assert "2 classes" in said
    assert "4.2 %" in said


def test_the_gallery_holds_a_fixed_sample_and_the_surest_mistakes(trained: Trained) -> None:
    shown = WORK.gallery(trained.learner, trained.feed, trained.found, fusion="image_only")  # type: ignore[arg-type]
    assert len(shown["sample"]) == 8
    wrong = sum(trained.found.answers.probabilities.argmax(1) != trained.found.answers.truth)
    assert len(shown["mistakes"]) == min(8, wrong)
    first = shown["sample"][0]
    assert first["picture"].startswith("data:image/jpeg;base64,")
    assert [one["probability"] for one in first["said"]] == sorted(
        (one["probability"] for one in first["said"]), reverse=True
    )
    merged = WORK.merge_galleries({"a": shown, "b": shown})
    assert list(merged) == ["classified", "mistakes", "photos"]
    assert list(merged["classified"][0]["results"]) == ["a", "b"]
    assert WORK.merge_galleries({}) == {"classified": [], "mistakes": [], "photos": []}
