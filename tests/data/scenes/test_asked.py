"""Questions about scenes: their answers are right, both by the scene behind them and by what other questions allow."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

from plait.core.errors import InputError
from plait.data.open import open_collection, source_of
from plait.data.scenes.asked import generate_questions
from plait.data.scenes.make import draw_scenes, generate


def test_pictures_and_splits_are_those_of_scenes() -> None:
    data, scenes = generate_questions(count=60, size_px=32), generate(count=60, size_px=32)
    twins = {photo.id: photo for photo in scenes.photos}
    assert len(data.photos) == 60
    assert all(np.array_equal(photo.source, twins[photo.id].source) for photo in data.photos)
    assert data.has_answers
    assert data.fingerprint == generate_questions(count=60, size_px=32).fingerprint
    assert data.fingerprint != generate_questions(count=60, size_px=32, seed=1).fingerprint


def test_counts_and_colours_are_those_of_the_scene() -> None:
    data = generate_questions(count=60, size_px=32)
    scenes = {scene.id: scene for members in draw_scenes(60).values() for scene in members}
    checked: Counter[str] = Counter()
    for caption in data.captions:
        things = scenes[data.photos[caption.image].id].things
        (answer,) = caption.answers
        if found := re.fullmatch(r"how many (\w+) shapes are there\?", caption.text):
            assert int(answer) == sum(thing.colour == found[1] for thing in things)
            checked["colours counted"] += 1
        elif found := re.fullmatch(r"how many (\w+?)(?:es|s) are there\?", caption.text):
            name = {"circl": "circle", "squar": "square", "triangl": "triangle"}.get(found[1], found[1])
            assert int(answer) == sum(thing.shape == name for thing in things)
            checked["shapes counted"] += 1
        elif found := re.fullmatch(r"what colour is the (?:(small|large) )?(\w+)\?", caption.text):
            (only,) = [t for t in things if t.shape == found[2] and found[1] in (None, t.size)]
            assert answer == only.colour
            checked["colour"] += 1
    assert min(checked[kind] for kind in ("colours counted", "shapes counted", "colour")) > 20


def test_kinds_can_be_chosen_and_no_kind_prevails() -> None:
    only = generate_questions(count=30, size_px=32, kinds=("count",))
    assert all(caption.text.startswith("how many") for caption in only.captions)
    every = generate_questions(count=60, size_px=32)
    firsts = Counter(caption.text.split()[0] for caption in every.captions)
    assert set(firsts) == {"what", "is", "how"}
    assert max(Counter(caption.image for caption in every.captions).values()) <= 8


def test_it_opens_by_name() -> None:
    assert source_of("scenes-questions:30") == "scenes_questions"
    assert open_collection("scenes-questions:30").name == "scenes-questions"
    with pytest.raises(InputError, match="scenes-questions:COUNT"):
        open_collection("scenes-questions:few")
    with pytest.raises(InputError, match="kinds: expected some of"):
        generate_questions(count=30, kinds=("smell",))
