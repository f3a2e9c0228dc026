"""Matching in a terminal and in model cards."""

from __future__ import annotations

from plait.tasks.match.metrics import METRIC_OF
from plait.tasks.match.show.card import CARD
from plait.tasks.match.show.terminal import TERMINAL
from tests.report.sample import sample_results


def test_a_board_shows_recalls_and_pairings() -> None:
    results = sample_results(photos=40, seeds=2, fusions=("late", "cross"))
    results["summary"][1]["rerank_k"] = 16
    results["summary"] = [{**entry, "flags": []} for entry in results["summary"]]
    text = "\n".join(TERMINAL.board(results))
    assert "split val: 40 photos, 200 captions" in text
    assert "pairing" in text
    assert "itm k=16" in text
    assert "t→i R@1 %" in text
    assert "Binding" not in text
    assert results["verdict"].split(". ")[1] in text


def test_a_run_has_one_line_per_direction() -> None:
    metrics = {f"{way}_r{k}": 10.0 + k for way in ("t2i", "i2t") for k in (1, 5, 10)}
    metrics |= {"t2i_median_rank": 3.0, "i2t_median_rank": 2.5, "binding_accuracy": 97.03}
    assert list(TERMINAL.run(metrics)) == [
        "t→i R@1 11.0, t→i R@5 15.0, t→i R@10 20.0, t→i median rank 3",
        "i→t R@1 11.0, i→t R@5 15.0, i→t R@10 20.0, i→t median rank 2.5",
        "Binding 97.0",
    ]


def test_a_card_names_metrics_that_exist() -> None:
    assert set(CARD.metrics) <= set(METRIC_OF)
    assert "cosine" in CARD.scores({"score_kind": "cosine"})
    assert CARD.limits.startswith("rare there")
