"""The words of `scenes`: sentences that are true of a scene, and false ones of the same words; phrases; questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np

from plait.data.scenes.draw import COLOURS, Scene, Thing

__all__ = [
    "CaptionPair",
    "Description",
    "Phrase",
    "Question",
    "Statement",
    "caption_pairs",
    "holds",
    "phrases",
    "questions",
]

INVERSE = {"left": "right", "right": "left", "above": "below", "below": "above"}
# In parts of the image's side. Between the two a relation is neither claimed nor denied.
CLEARLY, HARDLY = 0.2, 0.08

WHERE = {"left": "left of", "right": "right of", "above": "above", "below": "below"}
WHERE_LONG = {**WHERE, "left": "to the left of", "right": "to the right of"}
WHERE_ITS = {"left": "on its left", "right": "on its right", "above": "above it", "below": "below it"}
TEMPLATES = (
    "a {a} {where} a {b}",
    "a {a} is {where_long} a {b}",
    "there is a {a} {where_long} a {b}",
    "{where_long} a {b} there is a {a}",
    "a {b} with a {a} {where_its}",
)
# What a counterfactual can exchange.
KINDS = ("colour", "place")


@dataclass(frozen=True)
class Description:
    """A kind of shape; "" leaves an attribute open."""

    shape: str
    colour: str
    size: str = ""

    @property
    def text(self) -> str:
        """Give the words without an article, such as "small red square"."""
        return " ".join(word for word in (self.size, self.colour, self.shape or "shape") if word)

    def fits(self, thing: Thing) -> bool:
        """Tell whether a shape is of this kind."""
        pairs = ((self.shape, thing.shape), (self.colour, thing.colour), (self.size, thing.size))
        return all(wanted in ("", found) for wanted, found in pairs)


@dataclass(frozen=True)
class Statement:
    """That a shape of kind `first` is on one side ("left", "right", "above", "below") of one of kind `second`."""

    first: Description
    relation: str
    second: Description

    @property
    def plain(self) -> Statement:
        """Give the statement of the same fact that has "left" or "above" in it."""
        if self.relation in ("left", "above"):
            return self
        return Statement(self.second, INVERSE[self.relation], self.first)

    def text(self, template: str) -> str:
        """Give the statement in the words of a template."""
        return template.format(
            a=self.first.text,
            b=self.second.text,
            where=WHERE[self.relation],
            where_long=WHERE_LONG[self.relation],
            where_its=WHERE_ITS[self.relation],
        )


@dataclass(frozen=True)
class CaptionPair:
    """A caption and its counterfactual: the same words in another order, true and false of the scene.

    Fields:
        text, counterfactual: the two sentences
        swapped: what the counterfactual exchanges between the two shapes: "colour" or "place"
        true_of: for how many of the scenes that are captioned together the caption is true, this one included
    """

    text: str
    counterfactual: str
    swapped: str
    true_of: int


@dataclass(frozen=True)
class Phrase:
    """Words that fit exactly one shape of a scene.

    Fields:
        text:  such as "the small red square" or "the shape above and left of the blue shape"
        thing: its place in `Scene.things`
        kind:  "object" (identified by its own attributes) or "binding" (only by its place relative to another shape)
    """

    text: str
    thing: int
    kind: str


@dataclass(frozen=True)
class Question:
    """A question about a scene with its one right answer.

    Fields:
        text:   such as "what colour is the square?"
        answer: a colour, a shape, "yes" or "no"
        kind:   "colour", "shape" or "relation"
    """

    text: str
    answer: str
    kind: str


def holds(scene: Scene, statement: Statement, *, generous: bool = False) -> bool:
    """Tell whether a statement is true of a scene.

    A shape is left of another if its centre is by at least 0.2 of the image's side and the two differ by at most
    0.08 in height; likewise for the other sides. `generous` tests whether it could be called true: by 0.08 or more,
    at any height. Captions are true in the strict sense, counterfactuals false in the generous one.
    """
    return any(
        statement.relation in _relations(one, other, generous=generous)
        for one, other in permutations(scene.things, 2)
        if statement.first.fits(one) and statement.second.fits(other)
    )


def caption_pairs(
    scenes: Sequence[Scene], *, count: int = 4, seed: int = 0, kinds: Sequence[str] = KINDS
) -> list[list[CaptionPair]]:
    """Give captions with counterfactuals for scenes that are to be distinguished by them.

    Of the statements that are true of a scene, those that are true of the fewest of `scenes` are used. A size is left
    out only where the statement stays as specific. Each caption has another template than the one before, and what its
    counterfactual exchanges alternates, so that all `kinds` are about equally frequent.

    Returns: for each scene, `count` pairs; none for a scene without a strict relation.
    """
    spread: Counter[Statement] = Counter()
    for scene in scenes:
        spread.update(_generous_statements(scene))
    random = np.random.default_rng((seed, 7))
    return [_pairs_of(scene, spread, count, kinds, random) for scene in scenes]


def phrases(scene: Scene) -> tuple[Phrase, ...]:
    """Give every phrase of a scene that fits exactly one shape: its attributes, shortest first, then its places."""
    found = []
    for number, thing in enumerate(scene.things):
        for description in (Description(thing.shape, thing.colour), Description(thing.shape, thing.colour, thing.size)):
            if [description.fits(other) for other in scene.things].count(True) == 1:
                found.append(Phrase(f"the {description.text}", number, "object"))
                break
    for one, other in permutations(range(len(scene.things)), 2):
        beside = scene.things[other]
        names = (
            Description("", beside.colour),
            Description(beside.shape, ""),
            Description(beside.shape, beside.colour),
        )
        unique = [name for name in names if [name.fits(thing) for thing in scene.things].count(True) == 1]
        if not unique:
            continue
        landmark = unique[0]
        rivals = [thing for n, thing in enumerate(scene.things) if n not in (one, other)]
        where = _where(scene.things[one], beside, rivals)
        if where:
            found.append(Phrase(f"the shape {where} the {landmark.text}", one, "binding"))
    return tuple(found)


def questions(scene: Scene, *, seed: int = 0) -> tuple[Question, ...]:
    """Give questions whose answers need binding: colours of shapes, shapes at places, relations (yes and no)."""
    found = []
    for thing in scene.things:
        if [other.shape for other in scene.things].count(thing.shape) == 1:
            found.append(Question(f"what colour is the {thing.shape}?", thing.colour, "colour"))
        elif [(other.shape, other.size) for other in scene.things].count((thing.shape, thing.size)) == 1:
            found.append(Question(f"what colour is the {thing.size} {thing.shape}?", thing.colour, "colour"))
    for phrase in phrases(scene):
        if phrase.kind == "binding":
            found.append(Question(f"what is {phrase.text}?", scene.things[phrase.thing].shape, "shape"))
    random = np.random.default_rng((seed, scene.backdrop, 8))
    facts = [fact for fact in _strict_statements(scene) if fact.first.size and fact.second.size]
    for fact in facts:
        false = [wrong for _, wrong in _counterfactuals(scene, fact)]
        statement, answer = (fact, "yes") if random.random() < 0.5 or not false else (_drawn(false, random), "no")
        found.append(
            Question(
                f"is a {statement.first.text} {WHERE[statement.relation]} a {statement.second.text}?",
                answer,
                "relation",
            )
        )
    return tuple(found)


def _relations(one: Thing, other: Thing, *, generous: bool) -> list[str]:
    """Give the relations of `one` to `other`."""
    right, down = one.x - other.x, one.y - other.y
    if generous:
        sides = {"left": -right, "right": right, "above": -down, "below": down}
        return [name for name, distance in sides.items() if distance >= HARDLY]
    if abs(right) >= CLEARLY and abs(down) <= HARDLY:
        return ["right" if right > 0 else "left"]
    if abs(down) >= CLEARLY and abs(right) <= HARDLY:
        return ["below" if down > 0 else "above"]
    return []


def _where(one: Thing, other: Thing, rivals: Sequence[Thing]) -> str:
    """Give the place of `one` relative to `other`, in words that cannot fit a rival; "" where there are none.

    "left of" is tried first, then "directly left of", which excludes shapes that are clearly higher or lower; diagonal
    places are "above and left of".
    """
    diagonal = _diagonal(one, other)
    if diagonal:
        taken = any(set(diagonal) <= set(_relations(rival, other, generous=True)) for rival in rivals)
        return "" if taken else f"{diagonal[0]} and {WHERE[diagonal[1]]}"
    for side in _relations(one, other, generous=False):
        near = [rival for rival in rivals if side in _relations(rival, other, generous=True)]
        if not near:
            return WHERE[side]
        if all(_diagonal(rival, other) for rival in near):
            return f"directly {WHERE[side]}"
    return ""


def _diagonal(one: Thing, other: Thing) -> tuple[str, ...]:
    """Give ("above" or "below", "left" or "right") where `one` is clearly both of `other`; else nothing."""
    if min(abs(one.x - other.x), abs(one.y - other.y)) < CLEARLY:
        return ()
    return "above" if one.y < other.y else "below", "left" if one.x < other.x else "right"


def _strict_statements(scene: Scene, *, sizes: bool = False) -> list[Statement]:
    """Give what is clearly true, with full descriptions; with `sizes` also with one or both sizes left open."""
    return [
        Statement(first, relation, second)
        for one, other in permutations(scene.things, 2)
        for relation in _relations(one, other, generous=False)
        for first in _descriptions(one, sizes)
        for second in _descriptions(other, sizes)
    ]


def _generous_statements(scene: Scene) -> set[Statement]:
    """Give every statement that could be called true, in its plain form."""
    return {
        Statement(first, relation, second)
        for one, other in permutations(scene.things, 2)
        for relation in _relations(one, other, generous=True)
        if relation in ("left", "above")
        for first in _descriptions(one, True)
        for second in _descriptions(other, True)
    }


def _descriptions(thing: Thing, sizes: bool) -> list[Description]:
    full = Description(thing.shape, thing.colour, thing.size)
    return [full, replace(full, size="")] if sizes else [full]


def _counterfactuals(scene: Scene, fact: Statement) -> list[tuple[str, Statement]]:
    """Give what becomes false when the two shapes exchange their colours, or their places; words stay the same.

    Only these two: exchanged sizes change the area of each colour, which can be seen without binding, and so do
    exchanged colours where the sentence gives the two shapes different sizes. Exchanged shapes are exchanged colours
    and sizes at once.
    """
    first, second = fact.first, fact.second
    swaps = [("place", second, first)]
    if first.size == second.size:
        swaps.append(("colour", replace(first, colour=second.colour), replace(second, colour=first.colour)))
    return [
        (name, wrong)
        for name, one, other in swaps
        if not holds(scene, wrong := Statement(one, fact.relation, other), generous=True)
    ]


def _pairs_of(
    scene: Scene, spread: Counter[Statement], count: int, kinds: Sequence[str], random: np.random.Generator
) -> list[CaptionPair]:
    choices: list[tuple[int, Statement, list[tuple[str, Statement]]]] = []
    for fact in _strict_statements(scene, sizes=True):
        wrong = [pair for pair in _counterfactuals(scene, fact) if pair[0] in kinds]
        if wrong:
            choices.append((spread[fact.plain], fact, wrong))
    if not choices:
        return []
    fewest = min(shared for shared, _, _ in choices)
    choices = [choice for choice in choices if choice[0] == fewest]
    first_template, order = int(random.integers(len(TEMPLATES))), list(random.permutation(kinds))
    pairs: list[CaptionPair] = []
    for turn in range(count):
        wanted = order[turn % len(order)]
        able = [choice for choice in choices if any(name == wanted for name, _ in choice[2])] or choices
        shared, fact, wrong = able[int(random.integers(len(able)))]
        named = [pair for pair in wrong if pair[0] == wanted] or wrong
        swapped, false = named[int(random.integers(len(named)))]
        template = TEMPLATES[(first_template + turn) % len(TEMPLATES)]
        pairs.append(CaptionPair(fact.text(template), false.text(template), swapped, shared))
    return pairs


def _drawn(statements: list[Statement], random: np.random.Generator) -> Statement:
    return statements[int(random.integers(len(statements)))]


# "a yellow ring", never "an": templates have one article, so that an exchange leaves the words as they are.
assert not any(word[0] in "aeiou" for word in COLOURS)
