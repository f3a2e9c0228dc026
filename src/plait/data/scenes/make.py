"""`scenes`: generated images of shapes whose captions need binding: which shape has which colour and place.

A family is all images of one bag of attributes: the same shapes, colours and sizes, combined and placed in different
ways. The words of each caption of a family fit every image of it; only the binding distinguishes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, product
from math import hypot

import numpy as np

from plait.core.errors import InputError
from plait.data.collection import Caption, Collection, Photo
from plait.data.scenes.draw import COLOURS, SHAPES, SIZES, Scene, Thing, render
from plait.data.scenes.words import KINDS, caption_pairs

__all__ = ["FAMILY", "MAXIMUM", "draw_scenes", "generate"]

# Bindings of one bag that a pair of shapes has: two ways to assign the colours, times four places.
FAMILY = 8
CAPTIONS = 4
SPLITS = {"val": 0.1, "test": 0.2}
SIDES = {"left": (-1, 0), "right": (1, 0), "above": (0, -1), "below": (0, 1)}
# Two shapes and two colours, of which a family's pair is made; a third shape is added. Each bag is used small and
# large, twice. Both shapes of a pair have one size: else the area of a colour would show which shape has it.
BAGS = tuple(product(combinations(sorted(SHAPES), 2), combinations(sorted(COLOURS), 2)))
NAMES = tuple(SIZES)
TURNS = 4
MAXIMUM = 7000
# In parts of the image's side: the distance of a pair's centres along the line and across it, and the smallest gap to
# the border; and the factor on the distance that two shapes need.
PAIR_APART, PAIR_ASIDE = (0.36, 0.56), 0.07
EDGE, ROOM = 0.02, 1.05
TRIES = 10_000


def generate(*, count: int = 2000, seed: int = 0, size_px: int = 64, kinds: Sequence[str] = ("colour",)) -> Collection:
    """Make a collection of generated scenes, with a counterfactual for every caption.

    Each scene has 3 shapes and 4 captions, each about two shapes and their places. A caption's counterfactual has
    the same words with the two colours exchanged (or the places; see `kinds`) and is false for the image. Whole
    families go to one split, and only binding distinguishes the images of a family. The same arguments give the same
    bytes on every machine.

    Shapes: images (size_px, size_px, 3) uint8, sRGB.
    Arguments:
        count:   images in all, 6 to 7,000; 70 % train, 10 % val, 20 % test, rounded to whole families where it allows
        seed:    of everything
        size_px: side of the images, at least 16
        kinds:   what counterfactuals exchange, in turn: "colour" tests which shape has which colour, "place" which is
                 on which side. Only colour by default: `late` and `cross` did not learn places within minutes, so these
                 would add the same random guess to every score
    Raises:
        InputError: an unknown kind, or a count or size out of range.
    Example:
        >>> scenes = generate(count=32, size_px=32)
        >>> len(scenes.photos), len(scenes.captions)
        (32, 128)
    Source: made for Plait, in the spirit of Johnson et al. 2017 (CLEVR), Thrush et al. 2022 (Winoground: the same words
    in another order). Differs: flat shapes, and families complete in what they exchange, so that no caption can be
    distinguished from its counterfactual by its text alone.
    """
    if not kinds or not set(kinds) <= set(KINDS):
        raise InputError(f"scenes, kinds: expected some of {', '.join(KINDS)}, got {', '.join(kinds) or 'none'}")
    splits = draw_scenes(count, seed=seed)
    photos: list[Photo] = []
    captions: list[Caption] = []
    members: dict[str, tuple[int, ...]] = {}
    for number, (name, scenes) in enumerate(splits.items()):
        members[name] = tuple(range(len(photos), len(photos) + len(scenes)))
        for scene, pairs in zip(
            scenes, caption_pairs(scenes, count=CAPTIONS, seed=seed * 3 + number, kinds=kinds), strict=True
        ):
            captions += [
                Caption(f"{scene.id}#{n}", pair.text, len(photos), pair.counterfactual) for n, pair in enumerate(pairs)
            ]
            photos.append(Photo(scene.id, render(scene, size_px), family=scene.family))
    origin = f"generated: plait scenes, count {count}, seed {seed}, {size_px} px, swaps {' and '.join(kinds)}"
    return Collection("scenes", origin, tuple(photos), tuple(captions), members, splits_from=f"generated (seed {seed})")


def draw_scenes(count: int, *, seed: int = 0) -> dict[str, tuple[Scene, ...]]:
    """Draw the scenes behind `generate`, split by split, in the order of its images. Arguments, Raises: see there."""
    if not 6 <= count <= MAXIMUM:
        raise InputError(f"scenes, count: expected 6 to {MAXIMUM:,} images (all bags of attributes), got {count:,}")
    random = np.random.default_rng((seed, 6))
    sizes = {name: max(2, round(count * part)) for name, part in SPLITS.items()}
    sizes = {"train": count - sum(sizes.values()), **sizes}
    order = iter(_bags(random))
    splits: dict[str, tuple[Scene, ...]] = {}
    number = 0
    for name, wanted in sizes.items():
        scenes: list[Scene] = []
        while len(scenes) < wanted:
            scenes += _family(*next(order), number, random)[: wanted - len(scenes)]
            number += 1
        splits[name] = tuple(scenes)
    return splits


Bag = tuple[tuple[str, str], tuple[str, str]]


def _bags(random: np.random.Generator) -> list[tuple[Bag, str]]:
    """Give all bags in random order, each with a size; after all, each is repeated with another third shape."""
    order = random.permutation(len(BAGS))
    first = random.integers(2, size=len(BAGS))
    return [(BAGS[i], NAMES[(first[i] + turn) % 2]) for turn in range(TURNS) for i in order]


def _family(bag: Bag, size: str, number: int, random: np.random.Generator) -> list[Scene]:
    """Draw the 8 scenes of a bag, in random order: two ways to assign the colours, times four places."""
    shapes, colours = bag
    third = _third(bag, random)
    scenes = []
    for turned, side in product((0, 1), SIDES):
        pair = [
            Thing(shape, colours[i ^ turned], size, 0.0, 0.0, *_variation(random)) for i, shape in enumerate(shapes)
        ]
        things = _placed(pair, third, side, random)
        scenes.append(Scene("", tuple(things[i] for i in random.permutation(len(things))), _seed(random), number))
    order = random.permutation(FAMILY)
    return [replace(scenes[i], id=f"scene-{number:03d}-{place}") for place, i in enumerate(order)]


def _third(bag: Bag, random: np.random.Generator) -> Thing:
    """Draw a third shape that shares a shape or a colour with the pair; no exchange can turn it into one of them."""
    kinds = [(s, c) for s, c in product(SHAPES, COLOURS) if (s in bag[0]) != (c in bag[1])]
    shape, colour = kinds[int(random.integers(len(kinds)))]
    size = NAMES[int(random.integers(2))]
    return Thing(shape, colour, size, 0.0, 0.0, *_variation(random))


def _variation(random: np.random.Generator) -> tuple[float, int]:
    """Draw `Thing.grow` and `Thing.shade`."""
    return 0.92 + 0.16 * float(random.random()), int(random.integers(-14, 15))


def _seed(random: np.random.Generator) -> int:
    return int(random.integers(2**31))


def _placed(pair: list[Thing], third: Thing, side: str, random: np.random.Generator) -> list[Thing]:
    """Place the first of a pair on one side of the second, and the third shape where there is room."""
    across, down = SIDES[side]
    things = [*pair, third]
    reaches = [thing.radius + EDGE for thing in things]
    for _ in range(TRIES):
        # The pair first: most tries fail there.
        apart = PAIR_APART[0] + (PAIR_APART[1] - PAIR_APART[0]) * random.random()
        aside = 2 * PAIR_ASIDE * (random.random() - 0.5)
        dx, dy = across * apart + down * aside, down * apart + across * aside
        places = [_within(reaches[:2], (dx, 0.0), random), _within(reaches[:2], (dy, 0.0), random)]
        at = [(places[0] + dx, places[1] + dy), (places[0], places[1])]
        at.append((_within(reaches[2:], (0.0,), random), _within(reaches[2:], (0.0,), random)))
        if not any(
            hypot(at[i][0] - at[j][0], at[i][1] - at[j][1]) < ROOM * (reaches[i] + reaches[j])
            for i, j in combinations(range(len(at)), 2)
        ):
            return [replace(t, x=round(x, 4), y=round(y, 4)) for t, (x, y) in zip(things, at, strict=True)]
    raise AssertionError(f"no room for {things} in {TRIES} tries")  # pragma: no cover


def _within(reaches: list[float], offsets: tuple[float, ...], random: np.random.Generator) -> float:
    """Draw a place along one axis for shapes that are `offsets` apart, so that none leaves the image."""
    low = max(reach - offset for reach, offset in zip(reaches, offsets, strict=True))
    high = min(1 - reach - offset for reach, offset in zip(reaches, offsets, strict=True))
    return low + (high - low) * float(random.random())
