"""Recipes as text: plain data written as TOML, with any value in place of a right one."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from typing import Any

from tests.doors.tools import TINY

__all__ = ["VALUES", "changed", "to_toml"]

# What stands in place of a key's value. `HUGE` is not the largest integer of TOML, so that it is read.
HUGE = 10**12
VALUES: dict[str, Any] = {
    "negative": -1,
    "zero": 0,
    "nan": math.nan,
    "inf": math.inf,
    "string": "two",
    "empty": "",
    "bool": True,
    "huge": HUGE,
    "list": [1, 2],
    "table": {"a": 1},
}


def to_toml(data: Mapping[str, Any]) -> str:
    """Write nested data as TOML: plain keys first, then tables."""
    return "\n".join(f"{json.dumps(key)} = {_value(value)}" for key, value in data.items()) + "\n"


def changed(key: str, value: Any, base: str = TINY) -> str:
    """Give a recipe's text with one key, such as "train.lr", set to a value."""
    data: dict[str, Any] = tomllib.loads(base)
    *tables, last = key.split(".")
    place = data
    for table in tables:
        place = place.setdefault(table, {})
    place[last] = value
    return to_toml(data)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "nan" if math.isnan(value) else ("-inf" if value < 0 else "inf") if math.isinf(value) else repr(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)
