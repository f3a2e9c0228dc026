"""What a run shows of itself, and how the galleries of a comparison are joined."""

from __future__ import annotations

from typing import Any

import numpy as np

from plait.core.config import Recipe, TrainSettings
from plait.data.collection import Collection, Photo
from plait.tasks.match.show.gallery import merge_galleries
from plait.tasks.match.work import WORK
from tests.tasks.match.toys import ToyFeed, toy_learner
from tests.toys import toy_collection

RECIPE = Recipe(train=TrainSettings(precision="fp32"))


def gallery(collection: Collection, fusion: str) -> dict[str, Any]:
    learner = toy_learner(fusion)
    feed = ToyFeed(collection, learner)
    evaluation = WORK.evaluate(learner, feed, RECIPE, split="val")  # type: ignore[arg-type]
    return WORK.gallery(learner, feed, evaluation, fusion=fusion)  # type: ignore[arg-type]


def test_the_same_images_for_every_fusion_best_answers_first() -> None:
    late, cross = gallery(toy_collection(), "late"), gallery(toy_collection(), "cross")
    assert [item["photo"] for item in late["by_photo"]] == [item["photo"] for item in cross["by_photo"]]
    assert len(late["by_photo"]) == len(late["by_caption"]) == 12
    for item in [*late["by_photo"], *late["by_caption"]]:
        scores = [hit["score"] for hit in item["results"]]
        assert scores == sorted(scores, reverse=True)
        assert len(scores) == 3
    assert {"text", "score", "score_kind", "correct"} == late["by_photo"][0]["results"][0].keys()
    assert late["attention"] == []  # it attends to nothing
    assert len(cross["attention"]) == 6


def test_maps_know_where_they_lie_on_images_that_are_not_square() -> None:
    toys = toy_collection()
    wide = [np.repeat(photo.source, 2, axis=1) for photo in toys.photos]  # type: ignore[arg-type]
    photos = tuple(Photo(photo.id, pixels) for photo, pixels in zip(toys.photos, wide, strict=True))
    shown = gallery(Collection("wide", "tests", photos, toys.captions, toys.splits), "cross")
    # an 8 x 16 image, cropped to its middle: the grid covers the middle half of its width
    assert [entry["box"] for entry in shown["attention"]] == [[0.25, 0.0, 0.75, 1.0]] * 6


def test_galleries_are_joined_by_label() -> None:
    late, cross = gallery(toy_collection(), "late"), gallery(toy_collection(), "cross")
    merged = merge_galleries({"my cross": cross, "late": late})
    assert list(merged) == ["photos", "by_photo", "by_caption", "attention"]
    assert list(merged["by_photo"][0]["results"]) == ["my cross", "late"]
    assert merged["by_photo"][0]["results"]["late"] == late["by_photo"][0]["results"]
    assert {entry["fusion"] for entry in merged["attention"]} == {"my cross"}
    shown = {item["photo"] for part in ("by_photo", "by_caption", "attention") for item in merged[part]}
    shown |= {hit["photo"] for item in merged["by_caption"] for hits in item["results"].values() for hit in hits}
    assert set(merged["photos"]) == shown
    assert len(merged["photos"]) == len(shown)
    assert merge_galleries({})["photos"] == []
