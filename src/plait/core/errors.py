"""The errors Plait raises on purpose. Each message says what was expected, what came, and what to do.

PlaitError                     anything a user can fix; the command line prints it and exits non-zero
├── InputError                 a file, row, column or key of the user's data
├── ConfigError                a recipe or a command-line value
│   ├── UnknownNameError       a name that is in no table; the message gives the nearest valid one
│   └── MissingVerbError       a model asked for what its task cannot do; also an AttributeError
├── ShapeError                 tensors that do not fit each other
├── MissingPackageError        an optional package that is not installed
├── OfflineError               something lives on a hub and there is no network (or the name is wrong)
├── CheckpointError            a run or weight file that is damaged, or belongs to another model
├── TrainingError              training cannot continue (a loss that is not finite)
└── StorageError               the disk is full or not writable
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

__all__ = [
    "CheckpointError",
    "ConfigError",
    "InputError",
    "MissingPackageError",
    "MissingVerbError",
    "OfflineError",
    "PlaitError",
    "ShapeError",
    "StorageError",
    "TrainingError",
    "UnknownNameError",
    "nearest",
    "shortened",
    "shown",
]

# No name of a file has more than 255 signs, and no path more than 4,096: what is longer says nothing in its middle.
_LONG_WORD = re.compile(r"[^\s/]{300,}|\S{4200,}")
_KEPT = 120
# So much of a value that came is shown.
_SHOWN = 60


class PlaitError(Exception):
    """The root of every error a user can fix. In its message, words that are longer than a path are cut."""

    def __str__(self) -> str:
        return shortened(super().__str__())


class InputError(PlaitError):
    """A file, row, column or key of the user's data is wrong."""


class ConfigError(PlaitError):
    """A recipe or a command-line value is wrong."""


class UnknownNameError(ConfigError):
    """A name is in no table."""

    def __init__(self, kind: str, name: str, valid: Iterable[str]) -> None:
        names = sorted(valid)
        super().__init__(f"unknown {kind} {name!r}{nearest(name, names)}; known: {', '.join(names) or 'none'}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Be copied, also to another process, with the message: kind, name and table are not kept."""
        return _with_message, (type(self), str(self))


class MissingVerbError(ConfigError, AttributeError):
    """A model is asked for what its task cannot do."""


class ShapeError(PlaitError, ValueError):
    """Tensors do not fit each other."""


class MissingPackageError(PlaitError, ImportError):
    """An optional package is not installed."""


class OfflineError(PlaitError):
    """Something lives on a hub that cannot be reached."""


class CheckpointError(PlaitError):
    """A run or weight file is damaged or belongs to another model."""


class TrainingError(PlaitError):
    """Training cannot continue."""


class StorageError(PlaitError, OSError):
    """The disk is full or not writable."""


def _with_message(kind: type[UnknownNameError], message: str) -> UnknownNameError:
    error = kind.__new__(kind)
    error.args = (message,)
    return error


def shortened(message: str) -> str:
    """Give a message with words that are longer than any path cut to their beginning and end."""
    return _LONG_WORD.sub(lambda found: f"{found[0][:_KEPT]}...{found[0][-_KEPT:]}", message)


def shown(value: Any) -> str:
    """Show what came in a message: a plain value, cut where it is long; of anything else its type."""
    if not isinstance(value, str | bytes | int | float | list | tuple | dict | None):
        return f"a value of type {type(value).__name__}"
    said = repr(value)
    return said if len(said) <= _SHOWN else f"{said[: _SHOWN - 3]}..."


def nearest(name: str, valid: Iterable[str]) -> str:
    """Give ``"; did you mean 'x'?"`` for the valid name nearest to `name`, or an empty string."""
    close = get_close_matches(name, list(valid), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""
