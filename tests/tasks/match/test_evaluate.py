"""Evaluation against numbers worked by hand, the intervals' tables, and what cannot be scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from plait.core.errors import InputError
from plait.data.collection import Caption, Collection, Photo
from plait.metrics.statistics import bootstrap_median
from plait.runs.versions import versions
from plait.tasks.match.evaluate import evaluate_split, split_for_results
from plait.tasks.match.gallery import show_run
from plait.train.features import prepare
from plait.train.feed import Feed
from tests.train.toys import toy_collection, toy_model


def feed_of(collection: Collection, fusion: str, root: Path) -> tuple[Feed, object]:
    model, objective = toy_model(fusion)
    features = prepare(model, collection, views=("full",), precision="fp32", root=root)
    return Feed(collection, model, features, views=("full",)), objective


@pytest.mark.parametrize("fusion", ["late", "cross"])
def test_metrics_ranks_and_intervals_are_of_the_same_scores(tmp_path: Path, fusion: str) -> None:
    feed, objective = feed_of(toy_collection(), fusion, tmp_path)
    found = evaluate_split(feed.model, objective, feed, split="val", rerank_k=4, precision="fp32")  # type: ignore[arg-type]
    scores = found.scores.text_to_image.numpy()
    own = scores[found.caption_row, np.arange(scores.shape[1])]
    # no two photos have equal scores here, so a rank is one more than the number of better photos
    rank = 1 + (scores > own).sum(0)
    assert found.ranks["t2i"].tolist() == rank.tolist()
    assert found.metrics["t2i_r1"] == pytest.approx(100 * (rank == 1).mean())
    assert found.metrics["t2i_median_rank"] == np.median(rank)
    for photo, row in enumerate(found.scores.image_to_text.numpy()):
        mine = row[found.caption_row == photo]
        # equal captions of two photos tie: the first of r right ones among n tied is expected at (n + 1) / (r + 1)
        tied, right = (row == mine.max()).sum(), (mine == mine.max()).sum()
        assert found.ranks["i2t"][photo] == (row > mine.max()).sum() + (tied + 1) / (right + 1)
    assert found.rank_photo["i2t"].tolist() == list(range(16))
    assert set(found.intervals()) == set(found.metrics)
    interval = found.intervals()["t2i_median_rank"]
    direct = bootstrap_median(rank.astype(float), found.caption_row)
    assert interval == {"mean": direct.mean, "low": direct.low, "high": direct.high}
    assert interval["low"] <= interval["mean"] <= interval["high"]
    assert 0 <= found.metrics["binding_accuracy"] <= 100
    assert ("t2i_r1_fused" in found.metrics) == (fusion == "cross")
    for order, matrices in found.scores.candidates.items():
        alone = matrices[0].numpy()
        best = alone >= alone.max(0)
        right = best[found.caption_row, np.arange(alone.shape[1])] / best.sum(0)
        assert found.metrics[f"t2i_r1_{order}"] == pytest.approx(100 * right.mean())


def test_maps_know_where_they_lie_on_photos_that_are_not_square(tmp_path: Path) -> None:
    toys = toy_collection()
    wide = [np.repeat(photo.source, 2, axis=1) for photo in toys.photos]  # type: ignore[arg-type]
    photos = tuple(Photo(photo.id, pixels) for photo, pixels in zip(toys.photos, wide, strict=True))
    collection = Collection("wide", "tests", photos, toys.captions, toys.splits)
    feed, objective = feed_of(collection, "cross", tmp_path)
    found = evaluate_split(feed.model, objective, feed, split="val", rerank_k=4, precision="fp32")  # type: ignore[arg-type]
    shown = show_run(feed.model, feed, found, fusion="cross")
    assert len(shown["attention"]) == 6
    # an 8 x 16 photo, cropped to its middle: the grid covers the middle half of its width
    assert [entry["box"] for entry in shown["attention"]] == [[0.25, 0.0, 0.75, 1.0]] * 6


def test_results_are_of_test_else_val() -> None:
    assert split_for_results({"train": (0,), "val": (1, 2), "test": (3, 4)}) == "test"
    assert split_for_results({"train": (0,), "val": (1, 2), "test": ()}) == "val"
    with pytest.raises(InputError, match=r"no test or val split \(found: train\).*Give a splits\.json"):
        split_for_results({"train": (0, 1)})


def test_one_photo_with_captions_cannot_be_ranked(tmp_path: Path) -> None:
    photos = tuple(Photo(str(n), np.full((8, 8, 3), n, np.uint8)) for n in range(4))
    captions = tuple(Caption(str(n), f"photo {n}", n) for n in range(3))
    collection = Collection("few", "tests", photos, captions, {"train": (0, 1), "val": (2, 3)})
    feed, objective = feed_of(collection, "late", tmp_path)
    with pytest.raises(InputError, match=r"data 'few': split 'val' holds 1 photo\(s\) with captions"):
        evaluate_split(feed.model, objective, feed, split="val", rerank_k=4, precision="fp32")  # type: ignore[arg-type]


def test_versions_name_the_software_and_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = versions()
    assert list(found) == ["plait", "torch", "numpy", "python", "system", "processor"]
    assert all(found.values())
    (tmp_path / "cpuinfo").write_text(
        "processor\t: 0\nmodel name\t: Abacus 5000\n\nprocessor\t: 1\nmodel name\t: Other\n"
    )
    monkeypatch.setattr("plait.runs.versions.CPU_FACTS", tmp_path / "cpuinfo")
    assert versions()["processor"] == "Abacus 5000"
    monkeypatch.setattr("plait.runs.versions.CPU_FACTS", tmp_path / "none")
    assert versions()["processor"] != "Abacus 5000"
