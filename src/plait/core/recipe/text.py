"""Recipes as TOML text: the inverse of `plait.core.config.read_recipe`. Imports no torch."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from plait.core.config import Recipe, recipe_to_dict
from plait.core.errors import ConfigError

__all__ = ["named_text", "recipe_to_toml"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_TABLES = ("text", "image", "fusion", "objective", "train")


def recipe_to_toml(recipe: Recipe) -> str:
    """Write every setting of a recipe as TOML that `read_recipe` reads back as an equal recipe.

    Raises:
        ConfigError: an option holds what TOML cannot, such as None; the message names its key.
    """
    plain = recipe_to_dict(recipe)
    lines = [f"{key} = {_value(plain[key], key)}" for key in ("name", "task")]
    for table in _TABLES:
        lines += ["", f"[{table}]", *_pairs(plain[table], table)]
    for label, settings in plain["variants"].items():
        lines += ["", f"[variants.{_key(label)}]", *_pairs(settings, f"variants.{label}")]
    return "\n".join(lines) + "\n"


def named_text(text: str, name: str) -> str:
    """Give a recipe's text with its name in it, so that it reads back equal from a file of any name.

    A text that has a name stays as it is; otherwise the name follows the comments at its head.
    """
    if "name" in tomllib.loads(text):
        return text
    lines = text.splitlines(keepends=True)
    first = next((at for at, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
    return "".join([*lines[:first], f"name = {_value(name, 'name')}\n", *lines[first:]])


def _pairs(table: Mapping[str, Any], where: str) -> list[str]:
    # A variant takes what it leaves out from [fusion], so nothing is left out, however empty.
    return [f"{_key(key)} = {_value(value, f'{where}.{key}')}" for key, value in table.items()]


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _value(value: Any, where: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)  # "inf" and "nan" are TOML's words too
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(item, where) for item in value)}]"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {_value(item, f'{where}.{key}')}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    raise ConfigError(
        f"recipe, key {where!r}: expected text, a number, true or false, a list or a table, got {value!r}, which a "
        "recipe's file cannot hold"
    )


def _text(text: str) -> str:
    # JSON's escapes are TOML's, but for DEL, which TOML wants escaped too.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
