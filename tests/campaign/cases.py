"""All inputs of the campaign."""

from __future__ import annotations

from functools import cache

from tests.campaign.case import AREAS, Case
from tests.campaign.inputs import (
    calls,
    command_words,
    comparisons,
    data_files,
    data_images,
    data_masks,
    data_places,
    journeys,
    options,
    processes,
    recipes,
    run_folders,
)

__all__ = ["all_cases"]

_SOURCES = (
    data_files,
    data_images,
    data_masks,
    data_places,
    recipes,
    options,
    run_folders,
    comparisons,
    command_words,
    calls,
    journeys,
    processes,
)


@cache
def all_cases() -> tuple[Case, ...]:
    """Give every input, each under an id of its own."""
    cases = tuple(case for source in _SOURCES for case in source.cases())
    ids = [case.id for case in cases]
    doubled = sorted({one for one in ids if ids.count(one) > 1})
    if doubled:
        raise ValueError(f"ids of two inputs: {doubled}")
    strange = [case.id for case in cases if case.area not in AREAS]
    if strange:
        raise ValueError(f"ids of no area: {strange}")
    return cases
