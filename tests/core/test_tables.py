"""Name tables: found, loaded late, options checked by name."""

from __future__ import annotations

import json
from collections import OrderedDict

import pytest

from plait.core.errors import ConfigError, UnknownNameError
from plait.core.tables import Entry, check_options, load_entry, look_up

TABLE = {
    "dumps": Entry("json:dumps", "text", "-", "write JSON"),
    "ordered": Entry("collections:OrderedDict", "map", "-", "keep order"),
    "broken": Entry("no_such_module_at_all:thing", "text", "-", "cannot load"),
}


def part(width: int, *, heads: int = 8, dropout: float = 0.0) -> tuple[int, int, float]:
    """Stand for a part's constructor."""
    return width, heads, dropout


def plain(width: int) -> int:
    """Stand for a part without options."""
    return width


def test_look_up_finds_without_importing() -> None:
    assert look_up("writer", TABLE, "broken").summary == "cannot load"


def test_look_up_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"^unknown writer 'dump'; did you mean 'dumps'\?; known: broken, dump"):
        look_up("writer", TABLE, "dump")


def test_load_entry_gives_the_very_object() -> None:
    assert load_entry(TABLE["dumps"]) is json.dumps
    assert load_entry(TABLE["ordered"]) is OrderedDict


def test_load_entry_fails_late_and_loudly() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module_at_all"):
        load_entry(TABLE["broken"])


def test_check_options_takes_keyword_only_arguments() -> None:
    check_options("fusion", "cross", part, {})
    check_options("fusion", "cross", part, {"heads": 4, "dropout": 0.1})


def test_check_options_names_the_nearest_and_all() -> None:
    message = r"^fusion 'cross' has no option 'head'; did you mean 'heads'\?; it takes: heads, dropout$"
    with pytest.raises(ConfigError, match=message):
        check_options("fusion", "cross", part, {"heads": 4, "head": 4})


def test_check_options_refuses_what_is_not_by_keyword() -> None:
    # `width` comes from the recipe's own key: as an option it would be given twice.
    with pytest.raises(ConfigError, match="has no option 'width'; it takes: heads, dropout"):
        check_options("fusion", "cross", part, {"width": 4})
    with pytest.raises(ConfigError, match="it takes: none"):
        check_options("fusion", "late", plain, {"width": 4})


def test_entries_are_frozen() -> None:
    with pytest.raises(AttributeError, match="cannot assign"):
        TABLE["dumps"].family = "other"  # type: ignore[misc]
