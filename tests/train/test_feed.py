"""The order of the data: every caption once, few photos twice in a batch, the seed alone decides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from plait.core.errors import InputError
from plait.data.batch import TokenViews
from plait.train.features import Features, all_texts, prepare
from plait.train.feed import Feed
from tests.train.toys import toy_collection, toy_model


@pytest.fixture
def feed(tmp_path: Path) -> Feed:
    model, _ = toy_model()
    collection = toy_collection()
    features = prepare(model, collection, views=("full", "flip"), precision="fp32", root=tmp_path)
    return Feed(collection, model, features, views=("full", "flip"))


def test_an_epoch_visits_every_training_caption_once(feed: Feed) -> None:
    rows = np.concatenate(feed.order(0, 0, 8))
    assert sorted(rows) == sorted(feed.collection.captions_of("train"))


def test_batches_show_no_photo_twice_while_they_can(feed: Feed) -> None:
    for batch in feed.order(3, 1, 16):
        assert len(set(feed.photo_of[batch])) == 16


def test_captions_of_one_photo_come_together_when_asked(feed: Feed) -> None:
    batches = feed.order(0, 0, 8, captions_a_photo=2)
    assert len(batches) == 4
    for batch in batches:
        photos, count = np.unique(feed.photo_of[batch], return_counts=True)
        assert len(photos) == 8
        assert (count == 2).all()
    assert sorted(np.concatenate(batches)) == sorted(feed.collection.captions_of("train"))


def test_families_follow_one_another(feed: Feed) -> None:
    photos = tuple(replace(photo, family=number % 4) for number, photo in enumerate(feed.collection.photos))
    related = Feed(replace(feed.collection, photos=photos), feed.model, Features(None, None), views=("full",))
    for batch in related.order(0, 0, 8):
        assert len({photos[i].family for i in feed.photo_of[batch]}) == 1
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
    assert batch.photo_row is not None
    full = feed._image.stores[0].take(torch.unique(torch.from_numpy(feed.photo_of[rows]))).values
    mirrored = full.view(-1, 2, 2, 3).flip(2).reshape(-1, 4, 3)
    as_is = (batch.image.values == full).flatten(1).all(1)
    flipped = (batch.image.values == mirrored).flatten(1).all(1)
    assert (as_is | flipped).all()
    assert 5 < (~as_is).sum() < len(full) - 5
    assert torch.equal(batch.target, torch.from_numpy(feed.photo_of[rows]))
    assert torch.equal(torch.unique(batch.target)[batch.photo_row], batch.target)


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
    model, _ = toy_model()
    feed = Feed(small, model, prepare(model, small, views=("full",), precision="fp32", root=tmp_path), views=("full",))
    with pytest.raises(InputError, match=r"the train split holds 1 caption\(s\); training needs at least 2"):
        feed.order(0, 0, 4)
