"""The order of the data: every caption once, few images twice in a batch, the seed alone decides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from plait.core.errors import InputError
from plait.data.batch import TokenViews
from plait.nn.precision import Precision, autocast_context
from plait.train.features import Features, all_texts, prepare
from plait.train.feed import Feed
from tests.toys import toy_collection
from tests.train.toys import VIEWS, Groups, toy_feed, toy_learner


@pytest.fixture
def feed(tmp_path: Path) -> Feed:
    return toy_feed(toy_learner(), tmp_path)


def test_an_epoch_visits_every_training_caption_once(feed: Feed) -> None:
    rows = np.concatenate(feed.order(0, 0, 8))
    assert sorted(rows) == sorted(feed.collection.captions_of("train"))


def test_batches_show_no_image_twice_while_they_can(feed: Feed) -> None:
    for batch in feed.order(3, 1, 16):
        assert len(set(feed.image_of[batch])) == 16


def test_captions_of_one_image_come_together_on_request(feed: Feed) -> None:
    batches = feed.order(0, 0, 8, captions_per_image=2)
    assert len(batches) == 4
    for batch in batches:
        images, count = np.unique(feed.image_of[batch], return_counts=True)
        assert len(images) == 8
        assert (count == 2).all()
    assert sorted(np.concatenate(batches)) == sorted(feed.collection.captions_of("train"))


def test_families_follow_one_another(feed: Feed) -> None:
    photos = tuple(replace(photo, family=number % 4) for number, photo in enumerate(feed.collection.photos))
    collection = replace(feed.collection, photos=photos)
    related = Feed(collection, feed.learner, Features(None, None), views=("full",), make_targets=Groups)
    for batch in related.order(0, 0, 8):
        assert len({photos[i].family for i in feed.image_of[batch]}) == 1
    assert sorted(np.concatenate(related.order(0, 0, 8))) == sorted(feed.collection.captions_of("train"))


def test_a_small_rest_is_dropped_a_large_one_kept(feed: Feed) -> None:
    sizes = [len(batch) for batch in feed.order(0, 0, 24)]
    assert sizes == [24, 24, 16]
    assert [len(batch) for batch in feed.order(0, 0, 30)] == [30, 30]


def test_the_seed_and_the_epoch_decide(feed: Feed) -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return np.concatenate(feed.order(seed, epoch, 8)).tolist()

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1)
    assert order(0, 0) != order(1, 0)


def test_views_are_drawn_and_put_back_in_their_rows(feed: Feed) -> None:
    rows = np.concatenate(feed.order(0, 0, 64))
    batch = feed.batch(rows, seed=0, epoch=0)
    assert batch.image is not None
    assert isinstance(feed._image, TokenViews)
    assert batch.image_row is not None
    full = feed._image.stores[0].take(torch.unique(torch.from_numpy(feed.image_of[rows]))).values
    mirrored = full.view(-1, 2, 2, 3).flip(2).reshape(-1, 4, 3)
    as_is = (batch.image.values == full).flatten(1).all(1)
    flipped = (batch.image.values == mirrored).flatten(1).all(1)
    assert (as_is | flipped).all()
    assert 5 < (~as_is).sum() < len(full) - 5
    assert torch.equal(batch.target, torch.from_numpy(feed.image_of[rows]))
    assert torch.equal(torch.unique(batch.target)[batch.image_row], batch.target)


def test_counterfactuals_follow_the_captions(feed: Feed) -> None:
    texts = all_texts(feed.collection)
    assert len(texts) == 2 * len(feed.collection.captions)
    first = feed.collection.captions[0]
    assert texts[feed.counterfactual_row[0]] == first.counterfactual


def test_one_training_caption_is_too_few(tmp_path: Path) -> None:
    collection = toy_collection()
    small = type(collection)(
        "small", "tests", collection.photos[:3], collection.captions[:1], {"train": (0,), "val": (1, 2)}
    )
    feed = toy_feed(toy_learner(), tmp_path, collection=small)
    with pytest.raises(InputError, match=r"holds 1 caption.*at least 2"):
        feed.order(0, 0, 4)


def test_targets_are_made_once_and_get_each_captions_view(tmp_path: Path) -> None:
    made: list[Feed] = []
    views: list[np.ndarray] = []

    class Noted(Groups):
        def take(self, rows: np.ndarray, view: np.ndarray) -> torch.Tensor:
            views.append(view)
            return super().take(rows, view)

    def make(feed: Feed) -> Noted:
        made.append(feed)
        return Noted(feed)

    plain = toy_feed(toy_learner(), tmp_path)
    features = prepare(plain.model, plain.collection, views=VIEWS, precision="fp32", root=tmp_path)
    feed = Feed(plain.collection, plain.learner, features, views=VIEWS, make_targets=make)
    assert made == []
    batches = [feed.batch(rows, seed=0, epoch=0) for rows in feed.order(0, 0, 16, captions_per_image=2)]
    assert made == [feed]
    shown = {
        (int(owner), int(view))
        for batch, seen in zip(batches, views, strict=True)
        for owner, view in zip(batch.target, seen, strict=True)
    }
    assert len(shown) == len({owner for owner, _ in shown}), "captions of one image in a batch see one view"
    assert {view for _, view in shown} == {0, 1}


def test_encoded_rows_are_those_asked_for(feed: Feed, precision: Precision) -> None:
    feed.model.eval()
    with autocast_context(precision):
        texts, images = feed.encode_texts([3, 0, 3]), feed.encode_images([5, 5, 1])
    assert torch.equal(texts.values[0], texts.values[2])
    assert torch.equal(images.values[0], images.values[1])
    assert not images.values.requires_grad
    assert images.values.dtype == (torch.float32 if precision == "fp32" else torch.bfloat16)
    assert images.values.device == feed.device


def test_a_trained_image_side_gets_pixels(tmp_path: Path) -> None:
    learner = toy_learner()
    cells = learner.model.image._frozen[0]
    learner.model.image._frozen, learner.model.image.trained = (None,), cells
    feed = toy_feed(learner, tmp_path)
    batch = feed.batch(feed.order(0, 0, 8)[0], seed=0, epoch=0)
    assert batch.pixels is not None
    assert batch.pixels.shape == (8, 3, 8, 8)
    assert batch.image is None
    learner.eval()
    frozen = toy_feed(toy_learner().eval(), tmp_path)
    torch.testing.assert_close(feed.encode_images([4]).values, frozen.encode_images([4]).values, atol=1e-2, rtol=0)
