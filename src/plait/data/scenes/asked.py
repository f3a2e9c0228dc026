"""`scenes-questions`: generated images with questions whose answers are known: colours, shapes at places, counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plait.core.errors import InputError
from plait.data.collection import Caption, Collection, Photo
from plait.data.scenes.draw import COLOURS, SHAPES, Scene, render
from plait.data.scenes.make import draw_scenes
from plait.data.scenes.words import Question, questions

__all__ = ["QUESTION_KINDS", "generate_questions"]

QUESTION_KINDS = ("colour", "shape", "relation", "count")
# Per scene: as many questions of a kind, so that no kind decides the accuracy alone.
PER_KIND = 2


def generate_questions(
    *, count: int = 2000, seed: int = 0, size_px: int = 64, kinds: Sequence[str] = QUESTION_KINDS
) -> Collection:
    """Make a collection of generated scenes whose captions are questions, each with its one right answer.

    The scenes are those of `generate` with the same count and seed, so splits, families and images are the same too.
    At most two questions of a kind are asked about a scene: "what colour is the ring?", "what is the shape left of the
    blue shape?", "is a small red ring above a large blue star?", "how many red shapes are there?". The words of a
    question alone tell its kind, and within a kind little of the answer.

    Shapes: images (size_px, size_px, 3) uint8.
    Arguments:
        count, seed, size_px: as `generate`
        kinds:   of questions
    Raises:
        InputError: an unknown kind, or a count or size out of range.
    Example:
        >>> generate_questions(count=16, size_px=32).has_answers
        True
    Source: made for Plait, in the spirit of Johnson et al. 2017 (CLEVR); see `generate`.
    """
    if not kinds or not set(kinds) <= set(QUESTION_KINDS):
        raise InputError(
            f"scenes-questions, kinds: expected some of {', '.join(QUESTION_KINDS)}, got {', '.join(kinds) or 'none'}"
        )
    photos: list[Photo] = []
    captions: list[Caption] = []
    members: dict[str, tuple[int, ...]] = {}
    for name, scenes in draw_scenes(count, seed=seed).items():
        first = len(photos)
        for scene in scenes:
            random = np.random.default_rng((seed, scene.backdrop, 9))
            asked = [*questions(scene, seed=seed), *_counts(scene, random)]
            chosen = [one for kind in kinds for one in _some([q for q in asked if q.kind == kind], random)]
            captions += [
                Caption(f"{scene.id}#{n}", one.text, len(photos), answers=(one.answer,)) for n, one in enumerate(chosen)
            ]
            if chosen:
                photos.append(Photo(scene.id, render(scene, size_px), family=scene.family))
        members[name] = tuple(range(first, len(photos)))
    origin = f"generated: plait scenes-questions, count {count}, seed {seed}, {size_px} px, {', '.join(kinds)}"
    return Collection(
        name="scenes-questions",
        origin=origin,
        photos=tuple(photos),
        captions=tuple(captions),
        splits=members,
        splits_from=f"generated (seed {seed})",
    ).check_splits()


def _some(found: Sequence[Question], random: np.random.Generator) -> list[Question]:
    return [found[i] for i in sorted(random.permutation(len(found))[:PER_KIND])]


def _counts(scene: Scene, random: np.random.Generator) -> list[Question]:
    """Ask how many shapes have a colour, or are of a shape: of what is there, and of what is drawn at random."""
    there = [("colour", thing.colour) for thing in scene.things] + [("shape", thing.shape) for thing in scene.things]
    drawn = [("colour", str(random.choice(list(COLOURS)))), ("shape", str(random.choice(list(SHAPES))))]
    wanted = list(dict.fromkeys([there[i] for i in random.permutation(len(there))[:2]] + drawn))
    found = []
    for what, name in wanted:
        number = sum((thing.colour if what == "colour" else thing.shape) == name for thing in scene.things)
        plural = f"{name} shapes" if what == "colour" else f"{name}{'es' if name.endswith('s') else 's'}"
        found.append(Question(f"how many {plural} are there?", str(number), "count"))
    return found
