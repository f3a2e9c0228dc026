"""Splits by runs of frames: neighbouring frames of a film show the same room and must not lie on both sides."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

from plait.data.assemble import Row
from plait.data.collection import Skip
from plait.data.splits import GivenSplits, SplitMaking

__all__ = ["BORDER", "RUN", "frame_splits"]

# Frames per run, and how many at the end of a run are left out where the next run is of another split.
RUN, BORDER = 48, 4
_FRAME = re.compile(r"(?P<name>.*?)(?P<number>\d+)")


def frame_splits(
    rows: Sequence[Row], making: SplitMaking, where: str
) -> tuple[GivenSplits | None, list[Row], list[Skip]]:
    """Make splits by runs of frames, where all images are numbered frames of one name: image1, image2, ...

    The numbers are cut into runs of 48, and whole runs go to one split; a run's split follows from the seed and its
    number alone. Where the next run is of another split, the last 4 frames before it are left out.

    Arguments:
        rows:   of the data
        making: seed and parts of the splits
        where:  what messages call the data
    Returns: the splits, the rows that are left, and what was left out; None and all rows where images have names of
        another kind, or there are too few runs for the splits.
    """
    numbers = _numbers([row.image for row in rows])
    if numbers is None:
        return None, list(rows), []
    runs = sorted({number // RUN for number in numbers.values()})
    if len(runs) < 2 * (2 + (making.test_frac > 0)):
        return None, list(rows), []
    made = making.splits([f"run {run}" for run in runs])
    home = {runs[place]: split for split, places in made.items() for place in places}
    members: dict[str, list[str]] = {split: [] for split in made}
    out: set[str] = set()
    for image, number in numbers.items():
        run = number // RUN
        if number % RUN >= RUN - BORDER and home.get(run + 1, home[run]) != home[run]:
            out.add(image)
        else:
            members[home[run]].append(image)
    left = [Skip(where, f"{len(out)} frames at the borders of splits are left out", expected=True)] if out else []
    origin = f"made by plait from runs of {RUN} frames (seed {making.seed})"
    return GivenSplits(members, where, origin), [row for row in rows if row.image not in out], left


def _numbers(images: Sequence[str]) -> dict[str, int] | None:
    """Give image -> frame number, or None where the names are not those of numbered frames."""
    found: dict[str, int] = {}
    stems: set[str] = set()
    for image in images:
        match = _FRAME.fullmatch(PurePath(image).stem)
        if match is None or not match["name"]:
            return None
        stems.add(match["name"])
        found[image] = int(match["number"])
    return found if len(stems) == 1 and len(set(found.values())) == len(found) else None
