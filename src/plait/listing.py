"""What there is to name: tasks, fusions, encoders, heads, objectives, sources, methods, recipes. Imports no torch."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plait.core.config import Recipe, read_recipe
from plait.core.errors import ConfigError, UnknownNameError, nearest, shown
from plait.core.tables import Entry
from plait.data.sources import SOURCES
from plait.encoders import ADAPTERS, IMAGE_ENCODERS, TEXT_ENCODERS
from plait.explain.methods import METHODS
from plait.fusion import FUSIONS
from plait.heads import HEADS
from plait.objectives import OBJECTIVES
from plait.tasks import all_tasks

if TYPE_CHECKING:  # at run time it would bring torch along
    from plait.data.collection import Collection

__all__ = ["KINDS", "fitting_recipe", "list_names", "read_named", "recipe_names"]

KINDS = ("tasks", "fusions", "encoders", "adapters", "heads", "objectives", "sources", "methods", "recipes")
# kind of list -> its table, and what `Task.serves` calls an entry of it
_SERVING = {"fusions": (FUSIONS, "fusion"), "heads": (HEADS, "head"), "objectives": (OBJECTIVES, "objective")}


def list_names(kind: str) -> list[dict[str, Any]]:
    """Give every name of a kind with its family, paper and one-line summary.

    Raises:
        UnknownNameError: no such kind.
    """
    if not isinstance(kind, str) or kind not in KINDS:
        raise UnknownNameError("list", kind if isinstance(kind, str) else shown(kind), KINDS)
    if kind == "recipes":
        return [_recipe_row(name) for name in recipe_names()]
    if kind == "encoders":
        return _rows(TEXT_ENCODERS, side="text") + _rows(IMAGE_ENCODERS, side="image")
    if kind == "tasks":
        return [
            {"name": task.name, "verb": task.verb, "objective": task.objective, "summary": task.summary}
            for task in all_tasks()
        ]
    if kind in _SERVING:
        table, what = _SERVING[kind]
        return _rows(table, serves=what)
    return _rows({"adapters": ADAPTERS, "sources": SOURCES, "methods": METHODS}[kind])


def recipe_names() -> list[str]:
    """Give the names of the recipes in the package."""
    folder = files("plait") / "recipes"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def read_named(name: str | Path) -> Recipe:
    """Read a recipe by its name in the package or from a TOML file.

    Raises:
        ConfigError: neither; or the file is wrong (see `plait.core.config`).
    """
    text = str(name)
    if text.endswith(".toml"):
        return read_recipe(Path(name))
    names = recipe_names()
    if text not in names:
        raise ConfigError(
            f"no recipe {text!r}{nearest(text, names)}; known: {', '.join(names)}; or give the path of a .toml file"
        )
    return read_recipe(Path(str(files("plait") / "recipes" / f"{text}.toml")))


def fitting_recipe(collection: Collection) -> str:
    """Name the recipe that suits the data: that of the first task which has one for it.

    Raises:
        ConfigError: no task has one.
    """
    for task in all_tasks():
        name = task.recipe_for(collection)
        if name is not None:
            return name
    raise ConfigError(
        f"data {collection.name!r}: no task has a recipe for it; name one (`plait list recipes`) or give a .toml file"
    )


def _rows(table: Mapping[str, Entry], *, side: str = "", serves: str = "") -> list[dict[str, Any]]:
    rows = []
    for name, entry in table.items():
        row: dict[str, Any] = {"name": name, **({"side": side} if side else {})}
        row |= {"family": entry.family, "paper": entry.paper, "summary": entry.summary}
        if entry.pairings:
            row["pairings"] = list(entry.pairings)
        if serves:
            row["tasks"] = [task.name for task in all_tasks() if task.serves(serves, entry)]
        rows.append(row)
    return rows


def _recipe_row(name: str) -> dict[str, Any]:
    """Read a recipe's header: the first comment line is its summary."""
    text = (files("plait") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
    summary = next((line.lstrip("# ").strip() for line in text.splitlines() if line.startswith("#")), "")
    data = tomllib.loads(text)
    fusion = data.get("fusion", {}).get("name", "any")
    return {"name": name, "family": fusion, "paper": "-", "summary": summary}
