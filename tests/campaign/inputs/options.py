"""Options of parts: every keyword of every fusion, head, objective, adapter and encoder with every kind of value."""

from __future__ import annotations

import inspect
import random
from collections.abc import Iterator, Mapping
from typing import Any

from plait.core.tables import Entry, load_entry
from plait.encoders import ADAPTERS, IMAGE_ENCODERS, TEXT_ENCODERS
from plait.fusion import FUSIONS
from plait.objectives import OBJECTIVES
from plait.tasks import find_task
from tests.campaign.bench import MASK_RECIPE, Bench
from tests.campaign.case import Case, Command
from tests.campaign.toml import VALUES, changed
from tests.doors.tools import TINY

__all__ = ["cases"]

SEED = 3
# Of each part's option so many values are drawn; all of them would be thousands of inputs of one kind.
DRAWN = 2
# (option, kind of value) that means something for every part that takes the option.
_RIGHT = {("dropout", "zero"), ("margin", "zero")}
_ANY_NUMBER = ("bias", "start")


def cases() -> Iterator[Case]:
    """Give a seeded draw of values for every option of every part."""
    for key, table in (
        ("fusion.options", FUSIONS),
        ("fusion.adapter_options", ADAPTERS),
        ("text.options", TEXT_ENCODERS),
        ("image.options", IMAGE_ENCODERS),
        ("objective.options", OBJECTIVES),
    ):
        for name, entry in table.items():
            if (key, name) == ("objective.options", "match"):  # not chosen by name: it has a table of its own
                continue
            yield from _of_part(key, name, entry)
    for key in ("fusion.options", "fusion.head", "fusion.towers", "fusion.adapter_options", "objective.options"):
        yield _case(f"options/{key}/unknown", TINY, {key: {"laeyrs": 2}}, ("laeyrs",))


def _of_part(key: str, name: str, entry: Entry) -> Iterator[Case]:
    base, named = _base(key, name, entry)
    for option, parameter in inspect.signature(load_entry(entry)).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        # By name, so that a new part or option leaves the inputs of the others as they are.
        drawn = random.Random(f"{SEED} {key} {name} {option}").sample(sorted(VALUES), DRAWN)
        for how in drawn:
            if option in _ANY_NUMBER or (option, how) in _RIGHT or _fits(parameter.default, VALUES[how]):
                continue
            changes = {**named, key: {option: VALUES[how]}}
            yield _case(f"options/{key}/{name.replace('/', '.')}/{option}/{how}", base, changes, (f"{option}|pool",))


def _base(key: str, name: str, entry: Entry) -> tuple[str, dict[str, Any]]:
    """Give a recipe in which the part serves, and what names it there."""
    if key.endswith("adapter_options"):
        return TINY, {"fusion.adapter": name}
    room, _, _ = key.partition(".")
    kind = {"fusion": "fusion", "objective": "objective"}.get(room, "")
    matches = not kind or find_task("match").serves(kind, entry)
    return (TINY if matches else MASK_RECIPE), {f"{room}.{'encoder' if not kind else 'name'}": name}


def _fits(default: Any, value: Any) -> bool:
    """Whether a value is of the default's type and may mean something: whether it does is the part's own to say."""
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, str):
        return False
    if isinstance(default, int | float) and not isinstance(value, bool):
        return isinstance(value, int) and value == 0
    return False


def _case(name: str, base: str, changes: Mapping[str, Any], says: tuple[str, ...]) -> Case:
    text = base
    for key, value in changes.items():
        text = changed(key, value, text)

    def fit(bench: Bench) -> Command:
        data = bench.shared.masks if base == MASK_RECIPE else bench.shared.data
        return Command(["fit", "--data", data, "--recipe", bench.recipe(text), "--out", bench.out, "--quiet"])

    return Case(name, fit, says=says, limit_s=20)
