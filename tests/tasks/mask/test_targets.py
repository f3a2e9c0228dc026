"""Targets: the resolution is the head's own, views move image and mask alike, memory stays within its budget."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from plait.core.errors import InputError
from plait.tasks.mask.targets import MaskTargets, check_masks, true_mask
from tests.tasks.mask.toys import SIDE, MaskFeed, mask_collection, mask_learner

FULL, FLIP = np.array([0]), np.array([1])


def test_an_image_and_its_mask_are_flipped_together() -> None:
    learner = mask_learner()
    feed = MaskFeed(learner)
    assert feed.targets.cells == (8, 8)
    assert learner.training  # asking for the resolution leaves the mode as it was
    full, flip = feed.targets.take(np.array([0]), FULL), feed.targets.take(np.array([0]), FLIP)
    assert torch.equal(full.values.flip(-1), flip.values)
    assert not torch.equal(full.values, flip.values)
    rows = np.arange(16)
    drawn = {feed.batch(rows, seed=0, epoch=epoch).target.values[0, 0, 0].item() for epoch in range(8)}
    assert drawn == {0.0, 1.0}
    for epoch in range(4):
        batch = feed.batch(rows, seed=0, epoch=epoch)
        assert batch.pixels is not None
        assert batch.image_row is not None
        # Where the mask of a caption is, its image has one colour: the same in every cell, left or right.
        cells = torch.nn.functional.adaptive_avg_pool2d(batch.pixels, 8)[batch.image_row].permute(0, 2, 3, 1)
        for picture, mask in zip(cells, batch.target.values, strict=True):
            assert picture[mask > 0.5].std(0)[1:].max() < 0.1


def test_targets_are_kept_within_their_budget() -> None:
    collection, spec = mask_collection(8), mask_learner().model.image.image_spec
    few = MaskTargets(collection, spec, cells=(8, 8), budget_bytes=9 * 8 * 3)
    many = MaskTargets(collection, spec, cells=(8, 8))
    rows, view = np.arange(16), np.zeros(16, dtype=np.int64)
    assert torch.equal(few.take(rows, view).values, many.take(rows, view).values)
    assert (len(few._kept), len(many._kept)) == (3, 16)
    assert many.take(np.array([0]), FULL).values.sum() == 32
    assert many.take(np.array([0]), FULL).valid.all()
    assert true_mask(collection, 0).shape == (SIDE, SIDE)


def test_absent_pairs_are_drawn_from_the_batch_and_depend_on_it_alone() -> None:
    collection, spec = mask_collection(48), mask_learner().model.image.image_spec
    targets = MaskTargets(collection, spec, cells=(8, 8), absent=0.25)
    rows, view = np.arange(20), np.zeros(20, dtype=np.int64)
    found = targets.take(rows, view).absent
    assert found is not None
    assert found.shape == (5, 2)
    again = MaskTargets(collection, spec, cells=(8, 8), absent=0.25).take(rows, view).absent
    assert again is not None
    assert torch.equal(found, again)
    for phrase, image in found.tolist():
        carried = [c.text for c in collection.captions if c.image == collection.captions[image].image]
        assert collection.captions[phrase].text not in carried
    few = [targets.take(np.array([n, n + 2, n + 9]), view[:3]).absent for n in range(40)]
    drawn = [len(pairs) for pairs in few if pairs is not None]
    assert set(drawn) == {0, 1}  # a quarter of three is none or one
    assert 0.4 < np.mean(drawn) < 0.95
    assert MaskTargets(collection, spec, cells=(8, 8)).take(rows, view).absent is None


def test_captions_without_masks_are_refused() -> None:
    collection = mask_collection(4)
    check_masks(collection)
    bare = replace(collection, captions=(replace(collection.captions[0], mask=None),))
    with pytest.raises(InputError, match=r"needs a mask for every caption.*'c0'"):
        check_masks(bare)
    with pytest.raises(InputError, match="no caption"):
        check_masks(replace(collection, captions=()))
    with pytest.raises(InputError, match="'c0' has no mask"):
        MaskTargets(bare, mask_learner().model.image.image_spec, cells=(8, 8)).take(np.array([0]), FULL)
