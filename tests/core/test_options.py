"""Options of parts: the type is the parameter's, the range goes by its name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import pytest

from plait.core.errors import ConfigError
from plait.core.recipe.options import OPTION_RANGES, check_values
from plait.core.recipe.ranges import Range


class Part:
    """A part with an option of every kind."""

    def __init__(
        self,
        *,
        layers: int = 1,
        dropout: float = 0.0,
        kind: Literal["a", "b"] = "a",
        label: str = "",
        deep: bool = False,
        skips: Sequence[int] = (),
        head: bool | None = None,
    ) -> None:
        self.given = (layers, dropout, kind, label, deep, skips, head)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layers": "two"}, "option 'layers': expected a whole number from 1 to 1,000, got 'two'"),
        ({"layers": 0}, "option 'layers': expected a whole number from 1"),
        ({"layers": 10**9}, "option 'layers'"),
        ({"layers": True}, "option 'layers'"),
        ({"layers": 1.5}, "option 'layers'"),
        ({"dropout": 1.0}, "option 'dropout': expected a number at least 0 and below 1"),
        ({"dropout": math.nan}, "option 'dropout'"),
        ({"kind": "c"}, "option 'kind': expected one of 'a', 'b', got 'c'"),
        ({"label": 3}, "option 'label': expected a text in quotes, got 3"),
        ({"deep": "yes"}, "option 'deep': expected true or false, got 'yes'"),
        ({"skips": 4}, "option 'skips': expected a list, got 4"),
        ({"skips": [8, "x"]}, "option 'skips', item 2"),
        ({"head": 1}, "option 'head': expected true or false"),
    ],
)
def test_what_cannot_be_is_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=f"part 'p', {said}"):
        check_values("part 'p'", Part, options)


def test_what_can_be_passes() -> None:
    check_values("part", Part, {"layers": 2, "dropout": 0, "kind": "b", "label": "x", "deep": True, "skips": [8, 16]})
    check_values("part", Part, {"head": None, "unknown": object()})


def test_every_range_has_room() -> None:
    assert all(isinstance(found, Range) and found.low < found.high for found in OPTION_RANGES.values())
