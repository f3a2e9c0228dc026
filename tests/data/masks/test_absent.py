"""Absent phrases: what is known to be missing from an image, what is not, and how pairs are drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plait.data.collection import Caption, Collection, Photo
from plait.data.masks.absent import Absences, words_of
from plait.data.scenes.masks import generate_masks


def collection(*images: str, vocabulary: str = "") -> Collection:
    """Give one image per string of phrases divided by commas; "stuff:" before a phrase names its vocabulary."""
    photos = tuple(Photo(f"p{n}", np.full((4, 4, 3), n, dtype=np.uint8)) for n in range(len(images)))
    captions = []
    for image, phrases in enumerate(images):
        for phrase in phrases.split(","):
            name, _, text = phrase.rpartition(":")
            captions.append(Caption(f"c{len(captions)}", text, image, vocabulary=name or vocabulary))
    return Collection("words", "tests", photos, tuple(captions), {"val": tuple(range(len(images)))})


def row_of(data: Collection, text: str) -> int:
    """Give the first caption with this text."""
    return next(n for n, caption in enumerate(data.captions) if caption.text == text)


def lacking(data: Collection, text: str) -> set[int]:
    """Give the images that are known to lack a phrase."""
    known = Absences(data)
    return {image for image in range(len(data.photos)) if known.lacks(image, row_of(data, text))}


def test_texts_are_compared_without_case_articles_and_punctuation() -> None:
    assert words_of("The  Wine-glass.") == ("wine", "glass")
    data = collection("a dog,cat", "The Dog!,sofa", "sofa,cat")
    assert lacking(data, "a dog") == {2}
    assert lacking(data, "cat") == {1}


def test_an_image_with_one_phrase_says_nothing_of_others() -> None:
    assert lacking(collection("dog,cat", "dog,sofa", "person"), "cat") == set()  # it does not recur
    assert lacking(collection("dog,cat", "cat,sofa", "person", "dog,sofa"), "cat") == {3}


def test_a_shared_word_leaves_it_open() -> None:
    data = collection("table,cup", "dining table,cup", "table,fork", "fork,cup")
    assert lacking(data, "table") == {3}


def test_free_phrases_are_never_called_absent() -> None:
    data = collection("left wineglass,the bear at the top", "a second banana,no label", "dog,cat", "dog,cat")
    assert lacking(data, "left wineglass") == set()
    assert lacking(data, "dog") == {0, 1}


def test_a_declared_word_needs_no_second_image_but_an_image_with_its_list() -> None:
    data = collection("thing:dog,stuff:sky", "thing:cat,thing:cup", "thing:dog,thing:cat,stuff:wall")
    assert lacking(data, "sky") == {2}  # image 1 was not annotated with stuff
    assert lacking(data, "dog") == {1}
    assert lacking(collection("dog,cat", "cup,sofa", vocabulary="words"), "dog") == {1}


def test_phrases_recur_among_the_images_looked_at() -> None:
    data = collection("dog,cat", "dog,sofa", "cup,sofa")
    assert Absences(data).lacks(2, row_of(data, "dog"))
    assert not Absences(data, {0, 2}).lacks(2, row_of(data, "dog"))


class Lacks:
    """Facts that name what is missing."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts

    def lacks(self, text: str) -> bool:
        return text in self.texts


def test_facts_decide_where_an_image_brings_them() -> None:
    data = collection("dog,cat", "dog,sofa", "sofa,cat")
    photos = (data.photos[0], data.photos[1], replace(data.photos[2], facts=Lacks("cat")))
    told = replace(data, photos=photos)
    assert lacking(told, "dog") == set()
    assert lacking(told, "cat") == {1, 2}


def test_pairs_are_drawn_once_per_phrase_from_images_that_lack_it() -> None:
    data = generate_masks(count=40, size_px=32)
    rows = np.array(data.captions_of("train"), dtype=np.int64)[:60]
    known = Absences(data)
    pairs = known.draw(rows, np.random.default_rng(3))
    assert np.array_equal(pairs, known.draw(rows, np.random.default_rng(3)))
    assert not np.array_equal(pairs, known.draw(rows, np.random.default_rng(4)))
    assert len(set(pairs[:, 0])) == len(pairs) > 50
    for phrase, image in pairs:
        own, other = data.captions[rows[phrase]], data.captions[rows[image]]
        assert own.image != other.image
        assert known.lacks(other.image, int(rows[phrase]))
    assert len(known.draw(rows, np.random.default_rng(3), count=7)) == 7
    alone = collection("dog", "cat")
    assert Absences(alone).draw(np.arange(2), np.random.default_rng(0)).shape == (0, 2)


@pytest.mark.parametrize("count", [0, 1])
def test_images_with_many_phrases_are_drawn_as_often_as_they_have_phrases(count: int) -> None:
    data = collection("dog,cat", "dog,cat", "a,b,c1,d,e,f,g,h", "x,y", vocabulary="list")
    rows = np.arange(len(data.captions))
    found = [
        int(data.captions[pair[1]].image)
        for seed in range(300)
        for pair in Absences(data).draw(rows, np.random.default_rng(seed))
        if data.captions[pair[0]].text == "dog" and data.captions[pair[0]].image == count
    ]
    assert set(found) == {2, 3}
    assert 0.7 < found.count(2) / len(found) < 0.85  # 7 phrases with words against 2; "a" is an article
