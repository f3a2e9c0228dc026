"""Which run a folder belongs to: a second run is never written into it."""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from plait.core.config import Recipe, recipe_from_dict, recipe_to_dict
from plait.core.errors import CheckpointError, ConfigError
from plait.core.files import read_json, write_json
from plait.core.recipe.renamed import RenamedWarning
from plait.data.collection import Collection
from plait.runs.assemble import completed
from plait.runs.record import finished_record

__all__ = ["check_claim", "claim", "known_recipe", "plan_of", "read_or_none"]


PLAN_FILE = "plan.json"


def plan_of(recipe: Recipe, collection: Collection, steps: int | None) -> dict[str, Any]:
    """Give what makes a run this run and no other, as plan.json holds it."""
    plan: dict[str, Any] = {"recipe": recipe_to_dict(recipe), "data": collection.fingerprint}
    return plan if steps is None else {**plan, "steps": steps}


def claim(folder: Path, plan: dict[str, Any]) -> None:
    """Mark the folder as this run's. Raises as `check_claim`."""
    check_claim(folder, plan)
    if not isinstance((read_or_none(folder / PLAN_FILE) or {}).get("recipe"), dict):
        write_json(folder / PLAN_FILE, plan)


def check_claim(folder: Path, plan: dict[str, Any]) -> bool:
    """Tell whether the folder is this run's already; nothing is written.

    Raises:
        ConfigError: it holds another run; the message names the first difference.
    """
    then = read_or_none(folder / PLAN_FILE)
    if then is None or not isinstance(then.get("recipe"), dict):  # damaged: the run that was fitted here says it too
        then = _fitted(folder, plan)
    if then is None:
        return False
    then["recipe"] = known_recipe(then["recipe"])
    if then != plan:
        raise ConfigError(
            f"{folder} holds another run: {_first_difference(then, plan)}; choose another --out, or delete that folder "
            "to start again"
        )
    return True


def read_or_none(path: Path) -> dict[str, Any] | None:
    """Read a plan; None where there is none, or where it is damaged and is to be written again."""
    try:
        found = read_json(path) if path.exists() else None
    except CheckpointError:
        return None
    return found if isinstance(found, dict) else None


def _fitted(folder: Path, plan: dict[str, Any]) -> dict[str, Any] | None:
    """Give the plan of the finished run in a folder, by its record, which holds no number of steps; None if none is."""
    try:
        record = finished_record(folder)
    except CheckpointError:
        return None
    return None if record is None else {**plan, "recipe": record["recipe"], "data": record["data"]["fingerprint"]}


def known_recipe(plain: dict[str, Any]) -> dict[str, Any]:
    """Give a saved recipe with today's keys, what it did not hold at its default; unchanged where it cannot be read."""
    with suppress(ConfigError), warnings.catch_warnings():
        warnings.simplefilter("ignore", RenamedWarning)
        return recipe_to_dict(completed(recipe_from_dict(plain)))
    return plain


def _first_difference(then: Any, now: Any, key: str = "") -> str:
    if isinstance(then, dict) and isinstance(now, dict):
        for name in sorted(then.keys() | now.keys()):
            if then.get(name) != now.get(name):
                return _first_difference(then.get(name), now.get(name), f"{key}.{name}" if key else name)
    return f"{key} was {then!r}, is {now!r}"
