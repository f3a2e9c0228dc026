"""Answers in the report, in a terminal and in model cards; nothing of the data becomes markup."""

from __future__ import annotations

from typing import Any

from plait.report.page import write_report
from plait.tasks.answer.metrics import METRIC_OF, METRICS
from plait.tasks.answer.show.card import CARD
from plait.tasks.answer.show.gallery import merge_answers
from plait.tasks.answer.show.page import PAGE
from plait.tasks.answer.show.terminal import TERMINAL
from tests.report.sample import HOSTILE

FIGURES = {metric.key: 40.0 + number for number, metric in enumerate(METRICS) if not metric.key.startswith("wups")}


def results() -> dict[str, Any]:
    details = {
        "answers": 17,
        "unseen": 3,
        "wups": "not measured: nltk or its WordNet data is not installed",
        "types": [{"type": HOSTILE, "questions": 12, "accuracy": 50.0, "accuracy_image_removed": 20.0}],
    }
    row = {"fusion": "san", "tokens": "tokens", "pairing": "own", "params": 1000, "step_ms": 20.0, "train_s": 9.0}
    data = {"name": "toys", "eval_split": "test", "splits": {"test": {"photos": 40, "captions": 80}}}
    return {
        "task": "answer",
        "rows": [
            row
            | {"seed": 0, "status": "ok", "flags": [], "metrics": FIGURES, "answer": details, "run": "runs/san"}
            | {"curve": [{"epoch": 1, "loss": 0.7, "accuracy": 40.0}]}
        ],
        "summary": [
            row | {"seeds": 1, "flags": []} | {k: {"mean": v, "low": v - 1, "high": v + 1} for k, v in FIGURES.items()}
        ],
        "tests": [],
        "data": data,
        "verdict": "It is. So.",
    }


def gallery() -> dict[str, Any]:
    choices = [{"answer": HOSTILE, "percent": 61.0, "score": 100.0}, {"answer": "no", "percent": 2.0, "score": 0.0}]
    own = {"asked": [{"photo": "a.png", "question": HOSTILE, "right": "yes", "choices": choices}], "attention": []}
    return {**merge_answers({"san": own}), "photos": {}}


def test_the_page_shows_types_sample_and_baselines_and_runs_no_text_of_the_data(tmp_path: Any) -> None:
    path = write_report(results(), gallery(), tmp_path / "report.html", page=PAGE)
    text = path.read_text(encoding="utf-8")
    assert HOSTILE not in text
    assert "Question begins with" in text
    assert "people answered: yes" in text
    assert "No image" in text


def test_the_best_answers_without_a_model_are_the_floor() -> None:
    best = max(FIGURES["accuracy_most_common"], FIGURES["accuracy_per_type"])
    assert PAGE.floors(results()["summary"], {}) == {"accuracy": best}
    assert PAGE.floors([], {}) == {}


def test_a_terminal_shows_baselines_and_why_wups_is_missing() -> None:
    lines = "\n".join(TERMINAL.board(results())).splitlines()
    assert lines[:3] == [
        "toys, split test: 40 photos, 80 questions",
        "17 answers; 3 questions have none of them as their right answer",
        "WUPS not measured: nltk or its WordNet data is not installed",
    ]
    assert [line.split("  ")[0] for line in lines if line.startswith("(")] == [
        "(most common answer)",
        "(per question type)",
    ]
    shown = list(TERMINAL.run(FIGURES))
    assert shown[0].startswith("Accuracy 40.0, Exact 41.0")
    assert shown[1].startswith("Accuracy with no image")
    assert shown[2].startswith("Accuracy of most common answer")


def test_galleries_of_a_comparison_are_joined() -> None:
    own = {"photo": "a.png", "question": "q?", "right": "yes", "choices": [{"answer": "yes"}]}
    one = {"asked": [own], "attention": [{"photo": "b.png", "fusion": "san"}]}
    two = {"asked": [{**own, "choices": [{"answer": "no"}]}], "attention": []}
    merged = merge_answers({"first": one, "second": two})
    assert merged["asked"] == [
        {
            "photo": "a.png",
            "question": "q?",
            "right": "yes",
            "results": {"first": [{"answer": "yes"}], "second": [{"answer": "no"}]},
        }
    ]
    assert merged["attention"] == [{"photo": "b.png", "fusion": "first"}]
    assert merged["photos"] == ["a.png", "b.png"]


def test_a_card_says_how_long_the_list_is() -> None:
    assert set(CARD.metrics) <= set(METRIC_OF)
    assert "1,234 answers" in CARD.scores({"answer": {"answers": 1234}})
