"""`scenes`: generated pictures of shapes whose captions can only be matched by knowing what is bound to what.

A family is all pictures of one bag of attributes: the same shapes, colours and sizes, put together and placed in
different ways. Every picture of a family fits the words of every caption of it; only the binding tells them apart.
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
from plait.data.scenes.words import KINDS, tell

__all__ = ["FAMILY", "MAXIMUM", "draw_scenes", "generate"]

# How many bindings of one bag a pair of things has: colours either way round, and four places.
FAMILY = 8
CAPTIONS = 4
SPLITS = {"val": 0.1, "test": 0.2}
SIDES = {"left": (-1, 0), "right": (1, 0), "above": (0, -1), "below": (0, 1)}
# Two shapes and two colours: what a family's pair of things is made of; a third thing stands by. Each bag comes small
# and large, twice. Both things of a pair have one size: else how much there is of a colour would tell whose it is.
BAGS = tuple(product(combinations(sorted(SHAPES), 2), combinations(sorted(COLOURS), 2)))
NAMES = tuple(SIZES)
TURNS = 4
MAXIMUM = 7000
# In parts of the picture's side: how far apart a pair's centres lie, how far off a straight line, and the
# least gap to the rim; and the factor on what two things need side by side.
PAIR_APART, PAIR_ASIDE = (0.36, 0.56), 0.07
EDGE, ROOM = 0.02, 1.05
TRIES = 10_000


def generate(*, count: int = 2000, seed: int = 0, size_px: int = 64, kinds: Sequence[str] = ("colour",)) -> Collection:
    """Make a collection of generated scenes, with a counterfactual for every caption.

    Each scene has 3 shapes and 4 captions, each about two shapes and how they lie. A caption's counterfactual has
    the same words with the two colours exchanged (or the places; see `kinds`), and is false of the picture. Whole
    families go to one split, and nothing but binding tells the pictures of a family apart. The same arguments
    give the same bytes on every machine.

    Shapes: photos (size_px, size_px, 3) uint8, sRGB.
    Arguments:
        count:   photos in all, 6 to 7,000; 70 % train, 10 % val, 20 % test, rounded to whole families where it allows
        seed:    of everything
        size_px: side of the pictures, at least 16
        kinds:   what counterfactuals exchange, in turn: "colour" asks which thing has which colour, "place" which lies
                 on which side. Colour alone by default: `late` and `cross` did not learn places within minutes, so
                 they would only add the same coin toss to everyone's score
    Raises:
        InputError: an unknown kind, or a count or size that cannot be had.
    Example:
        >>> scenes = generate(count=32, size_px=32)
        >>> len(scenes.photos), len(scenes.captions)
        (32, 128)
    Source: made for Plait, in the spirit of Johnson et al. 2017 (CLEVR), Thrush et al. 2022 (Winoground: the same words
    in another order). Differs: flat shapes, and families complete in what they exchange, so that no caption can be
    told from its counterfactual by its text alone.
    """
    if not kinds or not set(kinds) <= set(KINDS):
        raise InputError(f"scenes, kinds: expected some of {', '.join(KINDS)}, got {', '.join(kinds) or 'none'}")
    splits = draw_scenes(count, seed=seed)
    photos: list[Photo] = []
    captions: list[Caption] = []
    members: dict[str, tuple[int, ...]] = {}
    for number, (name, scenes) in enumerate(splits.items()):
        members[name] = tuple(range(len(photos), len(photos) + len(scenes)))
        for scene, tellings in zip(
            scenes, tell(scenes, count=CAPTIONS, seed=seed * 3 + number, kinds=kinds), strict=True
        ):
            captions += [
                Caption(f"{scene.id}#{n}", telling.text, len(photos), telling.counterfactual)
                for n, telling in enumerate(tellings)
            ]
            photos.append(Photo(scene.id, render(scene, size_px), family=scene.family))
    origin = f"generated: plait scenes, count {count}, seed {seed}, {size_px} px, swaps {' and '.join(kinds)}"
    return Collection("scenes", origin, tuple(photos), tuple(captions), members)


def draw_scenes(count: int, *, seed: int = 0) -> dict[str, tuple[Scene, ...]]:
    """Draw the scenes behind `generate`, split by split, in the order of its photos. Arguments, Raises: see there."""
    if not 6 <= count <= MAXIMUM:
        raise InputError(f"scenes, count: expected 6 to {MAXIMUM:,} pictures (all bags of attributes), got {count:,}")
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
    """Give all bags in random order, each with a size; a bag comes again, with another bystander, after all others."""
    order = random.permutation(len(BAGS))
    first = random.integers(2, size=len(BAGS))
    return [(BAGS[i], NAMES[(first[i] + turn) % 2]) for turn in range(TURNS) for i in order]


def _family(bag: Bag, size: str, number: int, random: np.random.Generator) -> list[Scene]:
    """Draw the 8 scenes of a bag, in random order: colours either way round, and four places."""
    shapes, colours = bag
    bystander = _bystander(bag, random)
    scenes = []
    for turned, side in product((0, 1), SIDES):
        pair = [Thing(shape, colours[i ^ turned], size, 0.0, 0.0, *_looks(random)) for i, shape in enumerate(shapes)]
        things = _placed(pair, bystander, side, random)
        scenes.append(Scene("", tuple(things[i] for i in random.permutation(len(things))), _seed(random), number))
    order = random.permutation(FAMILY)
    return [replace(scenes[i], id=f"scene-{number:03d}-{place}") for place, i in enumerate(order)]


def _bystander(bag: Bag, random: np.random.Generator) -> Thing:
    """Draw a third thing that shares a shape or a colour with the pair, but that no swap can turn one of it into."""
    kinds = [(s, c) for s, c in product(SHAPES, COLOURS) if (s in bag[0]) != (c in bag[1])]
    shape, colour = kinds[int(random.integers(len(kinds)))]
    size = NAMES[int(random.integers(2))]
    return Thing(shape, colour, size, 0.0, 0.0, *_looks(random))


def _looks(random: np.random.Generator) -> tuple[float, int]:
    """Draw `Thing.grow` and `Thing.shade`."""
    return 0.92 + 0.16 * float(random.random()), int(random.integers(-14, 15))


def _seed(random: np.random.Generator) -> int:
    return int(random.integers(2**31))


def _placed(pair: list[Thing], bystander: Thing | None, side: str, random: np.random.Generator) -> list[Thing]:
    """Put the first of a pair to one side of the second, and the bystander where there is room."""
    across, down = SIDES[side]
    things = pair if bystander is None else [*pair, bystander]
    reaches = [thing.radius + EDGE for thing in things]
    for _ in range(TRIES):
        # The pair first: it is what most tries fail at.
        apart = PAIR_APART[0] + (PAIR_APART[1] - PAIR_APART[0]) * random.random()
        aside = 2 * PAIR_ASIDE * (random.random() - 0.5)
        dx, dy = across * apart + down * aside, down * apart + across * aside
        places = [_within(reaches[:2], (dx, 0.0), random), _within(reaches[:2], (dy, 0.0), random)]
        at = [(places[0] + dx, places[1] + dy), (places[0], places[1])]
        if bystander is not None:
            at.append((_within(reaches[2:], (0.0,), random), _within(reaches[2:], (0.0,), random)))
        if not any(
            hypot(at[i][0] - at[j][0], at[i][1] - at[j][1]) < ROOM * (reaches[i] + reaches[j])
            for i, j in combinations(range(len(at)), 2)
        ):
            return [replace(t, x=round(x, 4), y=round(y, 4)) for t, (x, y) in zip(things, at, strict=True)]
    raise AssertionError(f"no room for {things} in {TRIES} tries")  # pragma: no cover


def _within(reaches: list[float], offsets: tuple[float, ...], random: np.random.Generator) -> float:
    """Draw where to put things along one axis, offsets apart, so that none leaves the picture."""
    low = max(reach - offset for reach, offset in zip(reaches, offsets, strict=True))
    high = min(1 - reach - offset for reach, offset in zip(reaches, offsets, strict=True))
    return low + (high - low) * float(random.random())
