"""The gallery of masks: a fixed sample, a run's extremes, attention, and the join of several runs."""

from __future__ import annotations

from plait.tasks.mask.work import WORK
from tests.tasks.mask.conftest import Trained


def test_shows_a_fixed_sample_and_the_extremes(trained: Trained) -> None:
    shown = WORK.gallery(trained.learner, trained.feed, trained.found, fusion="pixel_word")  # type: ignore[arg-type]
    iou = trained.found.answers.iou
    assert len(shown["masks"]) == 6
    assert [item["rank"] for item in shown["extremes"]] == ["best", "best", "median", "median", "worst", "worst"]
    ious = [item["iou"] for item in shown["extremes"]]
    assert ious[0] == round(100 * float(iou.max()), 1)
    assert ious[4] == round(100 * float(iou.min()), 1)
    assert ious[0] >= ious[2] >= ious[4]
    assert all(url.startswith("data:image/jpeg;base64,") for url in shown["masks"][0]["pictures"].values())
    assert set(shown["masks"][0]["pictures"]) == {"photo", "truth", "prediction", "error"}
    assert len(shown["attention"]) == 4
    assert shown["attention"][0]["grid"] == [4, 4]
    assert shown["attention"][0]["box"] == [0.0, 0.0, 1.0, 1.0]


def test_joins_runs_under_their_labels(trained: Trained) -> None:
    shown = WORK.gallery(trained.learner, trained.feed, trained.found, fusion="pixel_word")  # type: ignore[arg-type]
    merged = WORK.merge_galleries({"first": shown, "second": shown})
    assert list(merged) == ["masks", "extremes", "attention", "photos"]
    assert len(merged["masks"]) == 6
    assert set(merged["masks"][0]) == {"photo", "text", "pictures", "results"}
    assert set(merged["masks"][0]["pictures"]) == {"photo", "truth"}
    assert list(merged["masks"][0]["results"]) == ["first", "second"]
    assert set(merged["masks"][0]["results"]["first"]) == {"iou", "prediction", "error"}
    assert [item["fusion"] for item in merged["extremes"]] == ["first"] * 6 + ["second"] * 6
    assert merged["photos"] == list(dict.fromkeys(item["photo"] for item in shown["attention"]))
    assert WORK.merge_galleries({}) == {"masks": [], "extremes": [], "attention": [], "photos": []}
