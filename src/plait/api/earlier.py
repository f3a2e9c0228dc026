"""Calls as earlier versions had them: each is refused with the call of today."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from plait.core.config import Recipe
from plait.core.errors import ConfigError

__all__ = ["takes_data_first"]

P = ParamSpec("P")
R = TypeVar("R")


def takes_data_first(call: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Refuse calls of earlier versions, in which the recipe came first or was called `recipe_or_name`.

    Arguments:
        call: the call of today, as the message shows it
    The decorated function raises:
        ConfigError: such a call.
    """

    def decorate(verb: Callable[P, R]) -> Callable[P, R]:
        @wraps(verb)
        def checked(*given: P.args, **options: P.kwargs) -> R:
            if "recipe_or_name" in options:
                raise ConfigError(f"recipe_or_name is called recipe now: {call}")
            if len(given) > 2 or (given and isinstance(given[0], Recipe)):
                raise ConfigError(f"data comes first, then out, and all else by its name: {call}")
            return verb(*given, **options)

        return checked

    return decorate
