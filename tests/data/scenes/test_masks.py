"""Scenes with masks: phrases that need binding, the shape they refer to, and splits by family."""

from __future__ import annotations

import numpy as np
import pytest

from plait.core.errors import InputError
from plait.data.masks.load import load_mask
from plait.data.open import open_collection, source_of
from plait.data.scenes.make import draw_scenes, generate
from plait.data.scenes.masks import generate_masks


def test_pictures_and_splits_are_those_of_scenes() -> None:
    data, scenes = generate_masks(count=60, size_px=32), generate(count=60, size_px=32)
    twins = {photo.id: photo for photo in scenes.photos}
    assert 50 <= len(data.photos) <= 60
    assert all(np.array_equal(photo.source, twins[photo.id].source) for photo in data.photos)
    families = [{data.photos[i].family for i in members} for members in data.splits.values()]
    assert not set.intersection(families[0], families[1] | families[2])
    assert data.has_masks
    assert data.fingerprint == generate_masks(count=60, size_px=32).fingerprint
    assert data.fingerprint != generate_masks(count=60, size_px=32, seed=1).fingerprint


def fits(words: list[str], right: float, down: float) -> bool:
    """Whether anybody could call what lies so far to the right and down by these words."""
    along = {"left": -right, "right": right, "above": -down, "below": down}
    across = {"left": down, "right": down, "above": right, "below": right}
    sides = [word for word in words if word in along]
    is_direct = "directly" not in words or abs(across[sides[0]]) < 0.2
    return is_direct and all(along[side] >= 0.08 for side in sides)


def test_a_phrase_fits_the_thing_its_mask_shows_and_no_other() -> None:
    data = generate_masks(count=120, size_px=64)
    scenes = {scene.id: scene for members in draw_scenes(120).values() for scene in members}
    wordings = set()
    for caption in data.captions:
        scene = scenes[data.photos[caption.image].id]
        assert caption.text.startswith("the shape ")
        place, _, landmark = caption.text.removeprefix("the shape ").replace(" of", "").partition(" the ")
        words = set(landmark.split()) - {"shape"}
        (other,) = [thing for thing in scene.things if words <= {thing.shape, thing.colour}]
        told = [t for t in scene.things if t is not other and fits(place.split(), t.x - other.x, t.y - other.y)]
        assert caption.mask is not None
        rows, columns = np.nonzero(load_mask(caption.mask, (64, 64)))
        assert len(told) == 1
        assert (told[0].x, told[0].y) == pytest.approx((columns.mean() / 64, rows.mean() / 64), abs=0.04)
        wordings.add(place)
    assert {"left", "directly left", "above and left", "below and right", "directly above"} <= wordings
    areas = [float(load_mask(caption.mask).mean()) for caption in data.captions if caption.mask is not None]
    assert 0.005 < min(areas) <= max(areas) < 0.15


def test_nearly_every_shape_of_a_scene_is_spoken_of() -> None:
    """Else a model that reads no word marks the two that are: with two of three it reaches half of what is right."""
    data = generate_masks(count=120, size_px=32)
    spoken: dict[int, set[bytes]] = {}
    for caption in data.captions:
        assert caption.mask is not None
        spoken.setdefault(caption.image, set()).add(load_mask(caption.mask).tobytes())
    assert len(spoken) > 0.95 * 120
    assert sum(len(masks) >= 3 for masks in spoken.values()) > 0.9 * len(spoken)


def test_other_phrases_and_what_is_refused() -> None:
    both = generate_masks(count=20, size_px=32, kinds=("binding", "object"))
    assert len(both.photos) == 20
    assert any("left of" in caption.text for caption in both.captions)
    with pytest.raises(InputError, match=r"scenes-masks, kinds: expected some of binding, object, got place"):
        generate_masks(count=20, kinds=("place",))
    assert source_of("scenes-masks") == source_of("scenes-masks:40") == "scenes_masks"
    assert open_collection("scenes-masks:60").has_masks
    with pytest.raises(InputError, match=r"expected scenes-masks:COUNT with a count of at least 6"):
        open_collection("scenes-masks:x")
