"""What a generated scene lacks, decided from its shapes and their places."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from plait.data.scenes.draw import COLOURS, SHAPES, SIZES, Scene
from plait.data.scenes.words import WHERE, Description, Statement, holds

__all__ = ["SceneFacts"]

_SIDES = {words: side for side, words in WHERE.items()}
_PLACED = re.compile(r"the shape (?:(above|below) and )?(?:directly )?(left of|right of|above|below) the (.+)")
_ANY = Description("", "")


@dataclass(frozen=True)
class SceneFacts:
    """The facts of one scene; see `plait.data.collection.Facts`."""

    scene: Scene

    def lacks(self, text: str) -> bool:
        """Tell whether no shape of the scene could be called so.

        "The shape left of the blue shape" is lacking where nothing is left of a blue shape even in the generous sense
        of `plait.data.scenes.words.holds`, as where there is no blue shape. What is no phrase of a scene is never
        said to be lacking.
        """
        read = _read(text)
        if read is None:
            return False
        description, sides = read
        if not sides:
            return not any(description.fits(thing) for thing in self.scene.things)
        # The sides of a diagonal are tested one by one: both may hold of different shapes, and then nothing is said.
        return any(not holds(self.scene, Statement(_ANY, side, description), generous=True) for side in sides)


@cache
def _read(text: str) -> tuple[Description, tuple[str, ...]] | None:
    """Read a phrase: a description with no sides, or the landmark's description with the sides it is on."""
    placed = _PLACED.fullmatch(text)
    if placed is None:
        found = _described(text.removeprefix("the "))
        return None if found is None else (found, ())
    diagonal, side, landmark = placed.groups()
    found = _described(landmark)
    return None if found is None else (found, tuple(filter(None, (diagonal, _SIDES[side]))))


def _described(words: str) -> Description | None:
    found = dict.fromkeys(("size", "colour", "shape"), "")
    for word in words.split():
        kind = next((k for k, known in (("size", SIZES), ("colour", COLOURS), ("shape", SHAPES)) if word in known), "")
        if word != "shape" and not kind:
            return None
        if kind:
            found[kind] = word
    return Description(found["shape"], found["colour"], found["size"])
