"""Masks in a terminal and in model cards."""

from __future__ import annotations

from plait.tasks.mask.metrics import METRIC_OF
from plait.tasks.mask.show.card import CARD
from plait.tasks.mask.show.terminal import TERMINAL
from tests.tasks.mask.test_page import METRICS, results


def test_a_board_shows_baselines_and_the_threshold() -> None:
    lines = "\n".join(TERMINAL.board(results())).splitlines()
    assert lines[0] == "toys, split test: 40 photos, 80 masks"
    assert lines[1] == "thresholds chosen on 300 captions of val"
    assert "mIoU %" in lines[3]
    assert "other text %" in lines[3]
    assert [line.split("  ")[0] for line in lines if line.startswith("(")] == [
        "(all foreground)",
        "(all background)",
        "(mean mask)",
    ]
    assert lines[-2:] == ["", "It is. So."]


def test_a_run_shows_what_is_left_without_text_or_image() -> None:
    assert list(TERMINAL.run(METRICS)) == [
        "mIoU 61.0, oIoU 66.0, P@0.5 70.0, P@0.7 50.0, P@0.9 12.0, Dice 71.0, Boundary F 44.0",
        "mIoU with other text 21.5, no text 18.0, no image 9.0",
        "mIoU of all foreground 15.0, all background 0.0, mean mask 17.2",
    ]


def test_a_run_shows_absent_phrases_where_they_were_measured() -> None:
    absent = {"presence_auroc": 84.0, "presence_auroc_mask": 79.0, "miou_answered": 58.5, "absent_area": 2.1}
    lines = list(TERMINAL.run({**METRICS, **absent}))
    assert lines[3:] == [
        "presence AUROC 84.0, AUROC of the peak 79.0, mIoU as answered 58.5",
        "absent: area 2.1",
    ]
    found = results()
    for row in found["rows"]:
        row["mask"] = {**row["mask"], "presence_on": "90 phrases of val", "presence_threshold": 0.4}
    for entry in found["summary"]:
        entry["absent_area"] = {"mean": 2.1, "low": 1.0, "high": 3.0}
    board = "\n".join(TERMINAL.board(found))
    assert "presence chosen on 90 phrases of val" in board
    assert "absent: area %" in board
    for row in found["rows"]:
        row["mask"]["presence_threshold"] = None
    assert "presence is not told on 90 phrases of val" in "\n".join(TERMINAL.board(found))


def test_a_card_says_where_the_threshold_was_chosen() -> None:
    assert set(CARD.metrics) <= set(METRIC_OF)
    said = CARD.scores({"mask": {"threshold": 0.417, "threshold_on": "300 captions of val"}})
    assert "0.42" in said
    assert "300 captions of val" in said
    assert "not known" in said
    chosen = {"presence_threshold": 0.36, "presence_on": "90 phrases of val"}
    said = CARD.scores({"mask": {"threshold": 0.417, "threshold_on": "300 captions of val", **chosen}})
    assert "0.36 on, chosen on 90 phrases of val" in said
    assert "not known" not in said
