"""A few captions with references, for all metrics."""

from __future__ import annotations

__all__ = ["SENTENCES", "candidates", "references"]

_TEXTS = (
    (
        "a black dog runs through the tall grass",
        ("a black dog is running in the grass", "the dog runs through tall grass", "a dog in a field"),
    ),
    ("two children play with a ball", ("two kids play with a red ball on the beach", "children play ball")),
    ("a man on a horse", ("a man rides a horse", "a cowboy is on a brown horse", "man on horse")),
    ("a woman is", ("a woman is standing in front of a shop", "a woman looks at a shop window")),
)
SENTENCES = tuple((caption.split(), [text.split() for text in own]) for caption, own in _TEXTS)


def candidates() -> list[list[str]]:
    """Give one caption per image, as words."""
    return [caption for caption, _ in SENTENCES]


def references() -> list[list[list[str]]]:
    """Give the references of each image, as words."""
    return [own for _, own in SENTENCES]
