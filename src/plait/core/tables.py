"""Name tables: how a string in a recipe finds its class, without importing it first."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from plait.core.errors import ConfigError, UnknownNameError, nearest
from plait.core.recipe.options import check_values

__all__ = ["Entry", "check_options", "load_entry", "load_target", "look_up"]


@dataclass(frozen=True)
class Entry:
    """One line of a room's name table.

    Fields:
        target:   "package.module:attribute", imported when the name is used
        family:   what it groups under in lists
        paper:    where it was published, or "-"
        summary:  one line for `plait list`
        pairings: for fusions, the ways it can be scored and trained, the default first
        options:  keyword arguments that distinguish this name from others with the same target
        takes:    for fusions, "tokens" or "pooled" (one vector per side, whatever the recipe asks); for heads and
                  objectives, the type they read: "Fused", "MatchScores", "MaskLogits"
        gives:    for fusions, what comes out on the image side: "grid" (cells in place, which have met the text),
                  "vector" (one vector of the pair), "pair" (both sides, to be compared or read together), "sides" (both
                  sides, of which neither has read the other) or "image" (the image as it came, for what reads no
                  text); for heads, their result type; for text encoders, "words" where a token depends on its own word
                  alone
    """

    target: str
    family: str
    paper: str
    summary: str
    pairings: tuple[str, ...] = ()
    options: Mapping[str, Any] | None = None
    takes: str = ""
    gives: str = ""


def look_up(kind: str, table: Mapping[str, Entry], name: str) -> Entry:
    """Find `name` in a room's table, or raise `UnknownNameError` naming the nearest valid one."""
    if name not in table:
        raise UnknownNameError(kind, name, table)
    return table[name]


def load_entry(entry: Entry) -> Callable[..., Any]:
    """Import what an entry points to."""
    loaded: Callable[..., Any] = load_target(entry.target)
    return loaded


def load_target(target: str) -> Any:
    """Import "package.module:attribute". Only strings written in our own tables ever come here."""
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


def check_options(kind: str, name: str, target: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Refuse options that `target` does not take by keyword, and values of a wrong type or out of range.

    Raises:
        ConfigError: an option is unknown, and the message names the nearest one; or its value cannot be.
    """
    parameters = inspect.signature(target).parameters
    valid = [p.name for p in parameters.values() if p.kind is inspect.Parameter.KEYWORD_ONLY]
    for option in options:
        if option not in valid:
            known = ", ".join(valid) or "none"
            raise ConfigError(f"{kind} {name!r} has no option {option!r}{nearest(option, valid)}; it takes: {known}")
    check_values(f"{kind} {name!r}", target, options)
