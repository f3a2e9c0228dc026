"""What an input of the campaign is: an id, a way to make it, a call, and how the call has to end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.campaign.bench import Bench

__all__ = ["AREAS", "Case", "Command", "Expected", "Python", "Shell", "pick"]

AREAS = ("data", "recipes", "options", "runs", "commands", "python", "processes")
# How a call may end well: it did what was asked; it did so and said what it left out; or it refused and said why.
Expected = Literal["works", "noted", "refused"]


@dataclass(frozen=True)
class Command:
    """A command line, run in this process."""

    words: Sequence[object]


@dataclass(frozen=True)
class Python:
    """A call of the Python API; what it returns is shown in the table by its repr."""

    call: Callable[[], Any]


@dataclass(frozen=True)
class Shell:
    """A line for the shell, in a process of its own; PLAIT stands for the command.

    Fields:
        encoding: PYTHONIOENCODING
        after_s:  send `signal` so many seconds after the start; None = never
        signal:   its number
    """

    line: str
    encoding: str = "utf-8"
    after_s: float | None = None
    signal: int = 2


@dataclass(frozen=True)
class Case:
    """One input.

    Fields:
        id:      "area/what/how", unique
        make:    puts the input on the bench and gives the call
        expect:  how it has to end
        says:    what the message (refused) or the output (noted) has to name, such as a file, row or key
        writes:  what the call may change or add, as paths below the bench, if it works
        leaves:  what a refusal may leave behind, likewise
        codes:   exit codes of a refusal
        check:   looks at the result of a call that worked; "" where it is right, else what is wrong with it
        known:   why this input is expected to fail today; "" = it has to pass
        limit_s: longer is a hang
    """

    id: str
    make: Callable[[Bench], Command | Python | Shell]
    expect: Expected = "refused"
    says: tuple[str, ...] = ()
    writes: tuple[str, ...] = ("out",)
    leaves: tuple[str, ...] = ()
    codes: tuple[int, ...] = (1, 2)
    check: Callable[[Bench, Any], str] | None = field(default=None, repr=False)
    known: str = ""
    limit_s: float = 40.0

    @property
    def area(self) -> str:
        """The first part of the id."""
        return self.id.partition("/")[0]


def pick(cases: Sequence[Case], count: int, seed: int) -> list[Case]:
    """Draw about `count` inputs, every area by its share and at least a few of each; the same ones for one seed."""
    import random

    drawn = []
    for area in AREAS:
        members = [case for case in cases if case.area == area]
        share = max(3, round(count * len(members) / len(cases)))
        drawn += random.Random(f"{seed} {area}").sample(members, min(share, len(members)))
    return drawn


def under(path: str, folders: Sequence[str]) -> bool:
    """Whether a path below the bench lies in one of these folders, or is one of them."""
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def absolute(path: Path) -> str:
    """Give a path as messages show it."""
    return str(path)
