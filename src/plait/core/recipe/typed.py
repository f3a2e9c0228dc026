"""Plain nested data -> settings: every key known, every value of its type and in its range. Imports no torch."""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal

from plait.core.errors import ConfigError, nearest, shown
from plait.core.recipe.ranges import RANGES, Range, checked_number

__all__ = ["make_settings"]

# Numbers without a range of their own: of options, which their parts check.
_ANY = Range(-math.inf)
_KINDS = {str: "a text in quotes"}


def make_settings(cls: Any, data: Mapping[str, Any], *, where: str, table: str = "") -> Any:
    """Make settings of a dataclass from plain data.

    Arguments:
        cls:   a dataclass whose fields are numbers, texts, literals, lists of texts, tables and settings
        where: what messages name: the recipe, or a variant in it
        table: the name of the table in the recipe, for messages and for the ranges of `plait.core.recipe.ranges`
    Raises:
        ConfigError: an unknown key, a value of the wrong type or out of its range.
    """
    at = f"{where}, key {table!r}" if table else where
    if not isinstance(data, Mapping):
        raise ConfigError(f"{at}: expected a table, got {shown(data)}")
    hints = typing.get_type_hints(cls)
    names = [f.name for f in fields(cls)]
    values = {}
    for key, value in data.items():
        if key not in names:
            raise ConfigError(f"{at}: unknown key {key!r}{nearest(key, names)}; known: {', '.join(names)}")
        values[key] = _coerce(hints[key], value, where, f"{table}.{key}".lstrip("."))
    return cls(**values)


def _coerce(hint: Any, value: Any, where: str, name: str) -> Any:
    at = f"{where}, key {name!r}"
    if is_dataclass(hint):
        return make_settings(hint, value, where=where, table=name)
    origin = typing.get_origin(hint)
    if origin is Literal:
        choices = typing.get_args(hint)
        if not isinstance(value, str) or value not in choices:
            raise ConfigError(f"{at}: expected one of {', '.join(map(repr, choices))}, got {shown(value)}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
            raise ConfigError(f"{at}: expected a list of strings, got {shown(value)}")
        return tuple(value)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{at}: expected a table, got {shown(value)}")
        inner = typing.get_args(hint)[1]
        # A variant's keys have the ranges of the table [fusion].
        return {
            key: make_settings(inner, v, where=f"{where}, {name}.{key}", table="fusion") if is_dataclass(inner) else v
            for key, v in value.items()
        }
    if hint is int or hint is float:
        return checked_number(value, at, RANGES.get(name, _ANY), whole=hint is int)
    if not isinstance(value, hint):
        raise ConfigError(f"{at}: expected {_KINDS.get(hint, hint)}, got {shown(value)}")
    return value
