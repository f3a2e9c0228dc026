"""What a part's options may be: the type is the parameter's own, the range goes by its name. Imports no torch.

One name means one thing in every part ("layers", "dropout"), so one table of ranges serves them all; what only a part
can know, such as heads that divide a width, it says itself.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from plait.core.errors import ConfigError, shown
from plait.core.recipe.ranges import Range, checked_number

__all__ = ["OPTION_RANGES", "check_values"]

_COUNT, _WIDTH, _FACTOR = Range(1, 1000), Range(1, 16384), Range(0, 1e6, above=True)
_ANY = Range(-1e9, 1e9)
OPTION_RANGES: Mapping[str, Range] = {
    "alpha": Range(0, 1),
    "blocks": _COUNT,
    "bottleneck": _WIDTH,
    "channels": _WIDTH,
    "depth": _COUNT,
    "doublings": Range(-1, 16, why="-1 = as many as the head needs"),
    "dropout": Range(0, 1, below=True),
    "embedding_width": _WIDTH,
    "gamma": Range(0, 1000),
    "given": Range(0, 1_000_000),
    "heads": _COUNT,
    "hidden": Range(0, 65536, why="0 = none"),
    "i2t_temperature": _FACTOR,
    "layers": _COUNT,
    "levels": Range(1, 4096),
    "lse_scale": _FACTOR,
    "margin": Range(0, 1000),
    "max_scale": _FACTOR,
    "patch": Range(1, 4096),
    "pooled_width": Range(0, 16384, why="0 = the common width"),
    "positive_weight": _FACTOR,
    "rank": _WIDTH,
    "ratio": Range(0, 1000, above=True),
    "scale": _FACTOR,
    "side": Range(1, 4096),
    "size_px": Range(0, 4096),
    "skips": _WIDTH,
    "stride": Range(1, 4096),
    "t2i_temperature": _FACTOR,
    "temperature": _FACTOR,
    "vocabulary_size": Range(1, 10_000_000),
    "warmup_steps": Range(0, 1_000_000_000),
    "weight": Range(0, 1e6),
    "width": _WIDTH,
}


def check_values(where: str, target: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Refuse values of another type than the parameter's annotation, and numbers out of their range.

    Arguments:
        where: what the message begins with, such as "fusion 'cross'"
    Raises:
        ConfigError: the message names the option, what was expected and what came.
    """
    hints = {name: taken.annotation for name, taken in inspect.signature(target, eval_str=True).parameters.items()}
    for name, value in options.items():
        if name in hints:
            _check(f"{where}, option {name!r}", hints[name], value, OPTION_RANGES.get(name, _ANY))


def _check(where: str, hint: Any, value: Any, allowed: Range) -> None:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in inner:
            return
        kinds = [kind for kind in inner if kind is not type(None)]
        if len(kinds) == 1:
            _check(where, kinds[0], value, allowed)
    elif origin is Literal:
        if not isinstance(value, str) or value not in inner:
            raise ConfigError(f"{where}: expected one of {', '.join(map(repr, inner))}, got {shown(value)}")
    elif origin in (list, tuple, Sequence):
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{where}: expected a list, got {shown(value)}")
        for position, one in enumerate(value, start=1):
            _check(f"{where}, item {position}", inner[0], one, allowed)
    elif hint is bool and not isinstance(value, bool):
        raise ConfigError(f"{where}: expected true or false, got {shown(value)}")
    elif hint is str and not isinstance(value, str):
        raise ConfigError(f"{where}: expected a text in quotes, got {shown(value)}")
    elif hint is int or hint is float:
        checked_number(value, where, allowed, whole=hint is int)
