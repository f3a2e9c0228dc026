"""Masks end to end in small: the loop learns them, views move photo and mask alike, evaluation tells what was read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from plait.core.config import TrainSettings
from plait.core.errors import ConfigError, InputError, ShapeError
from plait.data.collection import keep_photos
from plait.tasks.mask.evaluate import MaskEvaluation, check_masks, evaluate_masks
from plait.train.events import silent
from plait.train.feed import Feed
from plait.train.fit import Trainer
from plait.tasks.mask.gallery import show_masks
from plait.tasks.mask.targets import MaskTargets
from tests.tasks.mask.toys import SIDE, mask_collection, mask_feed, mask_model
from tests.train.toys import toy_collection, toy_model

SETTINGS = TrainSettings(epochs=16, batch_size=8, captions_a_photo=2, lr=1e-2, precision="fp32", ema_decay=0.9)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Feed, MaskEvaluation]:
    folder = tmp_path_factory.mktemp("mask")
    model, objective = mask_model()
    feed = mask_feed(model, folder / "cache", mask_collection(96))
    trainer = Trainer(model, objective, feed=feed, settings=SETTINGS, folder=folder)
    curve = trainer.run(what="masks", listener=silent, check=dict).curve
    assert curve[-1]["loss"] < 0.5 * curve[0]["loss"]
    return feed, evaluate_masks(model, feed, split="val", precision="fp32")


def test_masks_are_learned_and_the_text_is_what_decides(trained: tuple[Feed, MaskEvaluation]) -> None:
    _, found = trained
    metrics = found.metrics
    assert metrics["miou"] > 85
    assert metrics["miou_all_foreground"] == pytest.approx(50.0)  # each colour fills one half
    assert metrics["miou_all_background"] == 0.0
    assert metrics["miou_mean_mask"] < 60
    assert metrics["miou_text_shuffled"] < metrics["miou"] - 20
    assert metrics["miou_text_removed"] < metrics["miou"] - 20
    assert found.flags == ()
    assert found.details["fall_without_text"]["low"] > 0
    assert (len(found.photos), len(found.captions)) == (32, 64)
    assert set(found.intervals()) == set(metrics)
    for name, interval in found.intervals().items():
        assert interval["mean"] == pytest.approx(metrics[name]), name
        assert interval["low"] <= interval["mean"] <= interval["high"], name


def test_the_threshold_is_chosen_where_nothing_is_measured(trained: tuple[Feed, MaskEvaluation]) -> None:
    feed, found = trained
    assert found.details["threshold_on"] == "128 captions of train"
    assert found.details["mean_mask_of"] == "128 captions of train"
    assert 0 < found.details["threshold"] < 1
    again = evaluate_masks(feed.model, feed, split="val", precision="fp32", known=found.details)
    assert again.metrics == found.metrics
    moved = evaluate_masks(feed.model, feed, split="val", precision="fp32", known={**found.details, "threshold": 0.98})
    assert moved.metrics["miou"] != found.metrics["miou"]


def test_a_model_that_ignores_the_text_is_flagged(tmp_path: Path) -> None:
    model, _ = mask_model()
    feed = mask_feed(model, tmp_path)
    with torch.no_grad():
        model.text.adapter.map.weight.zero_()  # every text reads alike
    found = evaluate_masks(model, feed, split="val", precision="fp32")
    assert found.flags == ("ignores the text",)
    assert found.metrics["miou_text_shuffled"] == pytest.approx(found.metrics["miou"])


def test_the_curve_measures_miou_alone(trained: tuple[Feed, MaskEvaluation]) -> None:
    feed, _ = trained
    quick = evaluate_masks(feed.model, feed, split="val", precision="fp32", limit=4)
    assert "miou_text_shuffled" not in quick.metrics
    assert quick.metrics["miou"] > 50
    assert (len(quick.photos), quick.details["threshold_on"]) == (4, "what is measured")


def test_a_photo_and_its_mask_are_flipped_together(tmp_path: Path) -> None:
    model, _ = mask_model()
    feed = mask_feed(model, tmp_path)
    assert feed.views == ("full", "flip")
    masks = feed.masks
    assert masks.cells == (8, 8)
    full, flip = masks.take([0]), masks.take([0], np.array([1]))
    assert torch.equal(full.values.flip(-1), flip.values)
    assert not torch.equal(full.values, flip.values)
    rows = np.arange(16)
    drawn = {feed.batch(rows, seed=0, epoch=epoch).mask.values[0, 0, 0].item() for epoch in range(8)}
    assert drawn == {0.0, 1.0}
    for epoch in range(4):
        batch = feed.batch(rows, seed=0, epoch=epoch)
        assert batch.mask is not None
        assert batch.image is not None
        assert batch.photo_row is not None
        # Where the mask of a caption is, its photo has one colour: the same in every cell, left or right.
        cells = batch.image.take(batch.photo_row).levels[0].values.view(-1, 8, 8, 3)
        for picture, mask in zip(cells, batch.mask.values, strict=True):
            assert picture[mask > 0.5].std(0)[1:].max() < 0.1


def test_targets_are_kept_within_their_budget() -> None:
    collection = mask_collection(8)
    spec = mask_model()[0].image.input
    few = MaskTargets(collection, spec, cells=(8, 8), budget_bytes=9 * 8 * 3)  # type: ignore[arg-type]
    many = MaskTargets(collection, spec, cells=(8, 8))  # type: ignore[arg-type]
    rows = np.arange(16)
    assert torch.equal(few.take(rows).values, many.take(rows).values)
    assert (len(few._kept), len(many._kept)) == (3, 16)
    assert many.take([0]).values.sum() == 32
    assert many.take([0]).valid.all()
    assert many.truth(0).shape == (SIDE, SIDE)


def test_photos_fused_once_give_the_masks_of_pairs_fused_one_by_one() -> None:
    model, _ = mask_model()
    model.eval()
    collection = mask_collection(6)
    pixels = torch.rand(3, 3, SIDE, SIDE)
    text = model.encode_text(*model.text.input([c.text for c in collection.captions[:5]]))  # type: ignore[operator]
    image, row = model.encode_image(pixels), torch.tensor([0, 2, 1, 2, 0])
    shared, _ = model.masks(text, image, photo_row=row)
    single, _ = model.masks(text, image.take(row))
    assert torch.allclose(shared.values, single.values, atol=1e-6)


def test_the_gallery_shows_a_fixed_sample_and_the_extremes(trained: tuple[Feed, MaskEvaluation]) -> None:
    feed, found = trained
    shown = show_masks(feed.model, feed, found, fusion="pixel_word")
    assert len(shown["masks"]) == 6
    assert [item["rank"] for item in shown["extremes"]] == ["best", "best", "median", "median", "worst", "worst"]
    ious = [item["iou"] for item in shown["extremes"]]
    assert ious[0] == round(100 * found.iou.max(), 1)
    assert ious[4] == round(100 * found.iou.min(), 1)
    assert ious[0] >= ious[2] >= ious[4]
    assert all(url.startswith("data:image/jpeg;base64,") for url in shown["masks"][0]["pictures"].values())
    assert shown["attention"][0]["grid"] == [4, 4]


def test_what_cannot_be_measured_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"task 'mask' needs a mask for every caption: caption 'c0' has none"):
        check_masks(toy_collection())
    check_masks(mask_collection(4))
    model, objective = mask_model()
    collection = mask_collection()
    alone = keep_photos(collection, collection.splits["val"])
    feed = mask_feed(model, tmp_path, alone, flip=False)
    with pytest.raises(ConfigError, match=r"no split but 'val' to choose a threshold on"):
        evaluate_masks(model, feed, split="val", precision="fp32")
    with pytest.raises(InputError, match=r"split 'train' holds no caption"):
        evaluate_masks(model, feed, split="train", precision="fp32", limit=4)
    batch = feed.batch(np.arange(4), seed=0, epoch=0)
    with pytest.raises(ShapeError, match="the batch holds none"):
        model.judge_batch(objective, replace(batch, mask=None))
    captions = (replace(collection.captions[0], mask=None),)
    with pytest.raises(InputError, match="caption 'c0' has no mask"):
        MaskTargets(replace(collection, captions=captions), model.image.input, cells=(8, 8)).take([0])  # type: ignore[arg-type]
    late, _ = toy_model("late")
    text, image = late.encode_text(torch.ones(1, 1).long(), torch.ones(1, 1).bool()), torch.rand(1, 3, 8, 8)
    with pytest.raises(ConfigError, match="gives no masks"):
        late.masks(text, late.encode_image(image))
