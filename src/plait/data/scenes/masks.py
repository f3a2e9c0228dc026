"""`scenes-masks`: generated images with phrases that each refer to one shape, and the pixels of that shape."""

from __future__ import annotations

from collections.abc import Sequence

from plait.core.errors import InputError
from plait.data.collection import Caption, Collection, Photo
from plait.data.masks.source import MaskReading, MaskSource
from plait.data.scenes.draw import render, thing_mask
from plait.data.scenes.facts import SceneFacts
from plait.data.scenes.make import draw_scenes
from plait.data.scenes.words import phrases

__all__ = ["PHRASE_KINDS", "generate_masks"]

PHRASE_KINDS = ("binding", "object")


def generate_masks(
    *, count: int = 2000, seed: int = 0, size_px: int = 64, kinds: Sequence[str] = ("binding",)
) -> Collection:
    """Make a collection of generated scenes whose captions are phrases with masks.

    The scenes are those of `generate` with the same count and seed, so splits, families and images are the same too.
    A binding phrase ("the shape left of the blue shape") identifies its shape only by its place relative to another
    one; an object phrase ("the small red square") by its own attributes. Scenes without a phrase of these kinds are
    left out: for binding phrases about one in sixty. In nearly all others each shape has a phrase, so a model that
    reads the image and not the phrase marks little more than a third correctly.

    Shapes: images (size_px, size_px, 3) uint8, masks (size_px, size_px) bool.
    Arguments:
        count, seed, size_px: as `generate`
        kinds:   of phrases
    Raises:
        InputError: an unknown kind, or a count or size out of range.
    Example:
        >>> generate_masks(count=16, size_px=32).has_masks
        True
    Source: made for Plait; see `generate`.
    """
    if not kinds or not set(kinds) <= set(PHRASE_KINDS):
        raise InputError(
            f"scenes-masks, kinds: expected some of {', '.join(PHRASE_KINDS)}, got {', '.join(kinds) or 'none'}"
        )
    photos: list[Photo] = []
    captions: list[Caption] = []
    members: dict[str, tuple[int, ...]] = {}
    for name, scenes in draw_scenes(count, seed=seed).items():
        first = len(photos)
        for scene in scenes:
            wanted = [phrase for phrase in phrases(scene) if phrase.kind in kinds]
            if not wanted:
                continue
            # One array per shape, however many phrases refer to it.
            masks = {thing: thing_mask(scene, thing, size_px=size_px) for thing in sorted({p.thing for p in wanted})}
            for number, phrase in enumerate(wanted):
                where = f"{scene.id}#{number}"
                source = MaskSource(masks[phrase.thing], where=where)
                captions.append(Caption(where, phrase.text, len(photos), mask=source))
            photos.append(Photo(scene.id, render(scene, size_px), family=scene.family, facts=SceneFacts(scene)))
        members[name] = tuple(range(first, len(photos)))
    origin = f"generated: plait scenes-masks, count {count}, seed {seed}, {size_px} px, {' and '.join(kinds)} phrases"
    return Collection(
        name="scenes-masks",
        origin=origin,
        photos=tuple(photos),
        captions=tuple(captions),
        splits=members,
        reading=MaskReading("foreground"),
        splits_from=f"generated (seed {seed})",
    ).check_splits()
