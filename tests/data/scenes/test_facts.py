"""What a scene lacks: never what its own phrases name, and only what nothing in it could be called."""

from __future__ import annotations

import pytest

from plait.data.scenes.draw import Scene, Thing
from plait.data.scenes.facts import SceneFacts
from plait.data.scenes.make import draw_scenes
from plait.data.scenes.masks import generate_masks
from plait.data.scenes.words import phrases

SCENE = Scene(
    "one",
    (
        Thing("circle", "red", "small", 0.2, 0.5),
        Thing("square", "blue", "large", 0.7, 0.5),
        Thing("ring", "red", "small", 0.7, 0.9),
    ),
)


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("the red circle", False),
        ("the blue circle", True),
        ("the large red circle", True),
        ("the small red ring", False),
        ("the shape left of the blue shape", False),
        ("the shape directly left of the square", False),
        ("the shape right of the blue shape", True),
        ("the shape left of the green shape", True),
        ("the shape below and right of the circle", False),
        ("the shape above and right of the circle", True),
        ("the shape above the square", True),
        ("the dog", False),
        ("a red circle", False),
        ("the shape beside the blue shape", False),
        ("the shape left of the blue dog", False),
    ],
)
def test_shapes_and_places_decide(text: str, lacking: bool) -> None:
    assert SceneFacts(SCENE).lacks(text) is lacking


def test_no_scene_lacks_what_its_own_phrases_name() -> None:
    scenes = [scene for members in draw_scenes(80).values() for scene in members]
    assert all(not SceneFacts(scene).lacks(phrase.text) for scene in scenes for phrase in phrases(scene))
    other = [SceneFacts(scene).lacks(phrase.text) for scene, next_one in zip(scenes, scenes[20:], strict=False)
             for phrase in phrases(next_one)]  # fmt: skip
    assert 0.2 < sum(other) / len(other) < 0.95


def test_scenes_with_masks_bring_their_facts() -> None:
    data = generate_masks(count=16, size_px=32)
    for caption in data.captions:
        facts = data.photos[caption.image].facts
        assert facts is not None
        assert not facts.lacks(caption.text)
