"""Matched budgets for comparisons: as many trainable parameters as the reference, or as much training time."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from plait.core.config import Recipe
from plait.core.errors import ConfigError
from plait.core.files import read_json, write_json
from plait.core.tables import load_entry, look_up
from plait.data.collection import Collection
from plait.encoders import ADAPTERS
from plait.fusion import FUSIONS
from plait.runs.assemble import assemble_for, completed
from plait.runs.feed import open_feed
from plait.train.events import Event, Listener, silent
from plait.train.fit import Trainer
from plait.train.hardware import choose_hardware

__all__ = [
    "BUDGET_FILE",
    "MATCHES",
    "Share",
    "check_match",
    "count_parameters",
    "match_budgets",
    "nearest_width",
    "width_step",
]

MATCHES = ("", "params", "time")
BUDGET_FILE = "budget.json"
# Beyond this a comparison is not called matched; up to the first it is marked with how far off it is.
_REFUSE_OFF, _MARK_OFF = 0.10, 0.05
_LEAST_STEPS_TIMED, _WARMUP = 9, 4
_WIDEST = 4096


@dataclass(frozen=True)
class Share:
    """What one fusion is given.

    Fields:
        recipe: its recipe, with the width that matches
        steps:  optimiser steps; None = the recipe's epochs
        budget: what results.json says of it as "budget"; empty without matching
        flags:  "budget off" where it is more than 5 % from the reference
    """

    recipe: Recipe
    steps: int | None
    budget: dict[str, Any]
    flags: tuple[str, ...] = ()


def check_match(match: str) -> None:
    """Refuse a budget that there is none of. Raises ConfigError."""
    if match not in MATCHES:
        raise ConfigError(f"match {match!r}: expected params or time")


def match_budgets(
    match: str,
    recipes: Mapping[str, Recipe],
    collection: Collection,
    *,
    out: Path,
    cache: Path,
    device: str = "auto",
    listener: Listener = silent,
) -> dict[str, Share]:
    """Give every fusion its share, once and for all: what was found is kept in `out`/budget.json and used again.

    The reference is the first fusion of the first command in that folder, as its recipe has it: fusions requested later
    do not move it.

    "params": `fusion.width` is searched, in multiples of the number of heads, for the count of trainable parameters
    (adapters, fusion, towers, head, objective, trained encoder layers) nearest to the reference's. Width is the one
    knob that every fusion has; depth stays as it is, and so does what each recipe sets beside it.

    "time": every fusion gets as many steps as fit into the reference's training time: reference steps times the
    reference's median time of a step, over the fusion's own. Steps are timed on this machine, a few of them, after some
    that do not count. Other machines, or a busy moment, give other numbers; the record says which were used.

    Args:
        match:   "", "params" or "time"
        recipes: fusion -> recipe under the first seed
    Raises:
        ConfigError: no such budget; or no width comes within 10 % of the reference's parameters.
    """
    check_match(match)
    if not match:
        return {name: Share(recipe, None, {}) for name, recipe in recipes.items()}
    path = out / BUDGET_FILE
    known: dict[str, Any] = read_json(path) if path.exists() else {"match": match, "fusions": {}}
    known.setdefault("reference", next(iter(recipes)))
    for place, (name, recipe) in enumerate(recipes.items()):
        if name in known["fusions"]:
            continue
        listener(Event("note", "budget", place, len(recipes), {"matching": f"{match} of {name}"}))
        if match == "params":
            known["fusions"][name] = _by_parameters(name, recipe, collection, known)
        else:
            known["fusions"][name] = _by_time(
                name, recipe, collection, known, cache=cache, device=device, listener=listener
            )
        write_json(path, known)  # at once: stopped here, the next command uses the same
    return {name: _share(name, recipe, known) for name, recipe in recipes.items()}


def _share(name: str, recipe: Recipe, known: Mapping[str, Any]) -> Share:
    found = known["fusions"][name]
    budget = {"match": known["match"], "reference": known["reference"], **found}
    if known["match"] == "time":
        return Share(recipe, int(found["steps"]), budget)
    flags = ("budget off",) if abs(found["off"]) > _MARK_OFF else ()
    return Share(replace(recipe, fusion=replace(recipe.fusion, width=found["width"])), None, budget, flags)


def count_parameters(recipe: Recipe, collection: Collection) -> int:
    """Count what a recipe trains: parameters of model, objective and the task's own parts, of a first stage too."""
    learner = assemble_for(recipe, collection)
    return sum(parameter.numel() for parameter in learner.parameters())


def width_step(recipe: Recipe) -> int:
    """Give what a width must be a multiple of: heads of fusion and adapter, and 4 for positions of rows and columns."""
    heads = [
        _heads(load_entry(look_up("fusion", FUSIONS, recipe.fusion.name)), recipe.fusion.options),
        _heads(load_entry(look_up("adapter", ADAPTERS, recipe.fusion.adapter)), recipe.fusion.adapter_options),
    ]
    return math.lcm(4, *heads)


def nearest_width(count: Callable[[int], int], target: int, *, start: int, step: int) -> tuple[int, int]:
    """Find the multiple of `step` whose count is nearest to `target`, and give it with its count.

    `count` must not fall with the width. It is called about twice log2 times: by doubling, then by halving between.

    Raises:
        ConfigError: `target` is not reached below a width of 4,096.
    """
    seen: dict[int, int] = {}

    def at(multiple: int) -> int:
        if multiple not in seen:
            seen[multiple] = count(multiple * step)
        return seen[multiple]

    low, high = 1, max(1, start // step)
    while at(high) < target:
        low, high = high, high * 2
        if high * step > _WIDEST:
            raise ConfigError(
                f"match params: width {low * step} gives {at(low):,} parameters, and {target:,} are wanted; a fusion "
                "that width cannot grow to this has no fair share here. Leave it out, or give the reference less"
            )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if at(middle) < target else (low, middle)
    best = min((low, high), key=lambda multiple: abs(at(multiple) - target))
    return best * step, at(best)


def _by_parameters(name: str, recipe: Recipe, collection: Collection, known: dict[str, Any]) -> dict[str, Any]:
    if name == known["reference"]:
        known["params"] = count_parameters(recipe, collection)
        return {"width": recipe.fusion.width, "params": known["params"], "off": 0.0}

    def count(width: int) -> int:
        return count_parameters(replace(recipe, fusion=replace(recipe.fusion, width=width)), collection)

    step = width_step(recipe)
    width, params = nearest_width(count, known["params"], start=recipe.fusion.width, step=step)
    off = params / known["params"] - 1
    if abs(off) > _REFUSE_OFF:
        raise ConfigError(
            f"match params: {name} comes no nearer to the {known['params']:,} parameters of {known['reference']} than "
            f"{params:,} ({100 * off:+.0f} %), at width {width} in steps of {step}; expected at most 10 %. Give it "
            "fewer layers or heads in the recipe's variants, or leave it out"
        )
    return {"width": width, "params": params, "off": off}


def _by_time(
    name: str,
    recipe: Recipe,
    collection: Collection,
    known: dict[str, Any],
    *,
    cache: Path,
    device: str,
    listener: Listener,
) -> dict[str, Any]:
    hardware = choose_hardware(device)
    recipe = completed(recipe, device=hardware.device)
    learner = assemble_for(recipe, collection)
    hardware.place(learner)
    feed = open_feed(learner, recipe, collection, cache=cache, listener=listener)
    trainer = Trainer(learner, feed=feed, settings=recipe.train, folder=cache, hardware=hardware)
    step_s = trainer.time_steps(count=_LEAST_STEPS_TIMED, warmup=_WARMUP)
    if name == known["reference"]:
        known["seconds"] = trainer.total_steps * step_s
    steps = max(1, round(known["seconds"] / step_s))
    return {
        "steps": trainer.total_steps if name == known["reference"] else steps,
        "timed_step_ms": 1000 * step_s,
        "seconds": known["seconds"],
        "epochs": steps / trainer.steps_per_epoch,
    }


def _heads(target: Any, options: Mapping[str, Any]) -> int:
    heads = inspect.signature(target).parameters.get("heads")
    default = heads.default if heads is not None and isinstance(heads.default, int) else 1
    return int(options.get("heads", default))
