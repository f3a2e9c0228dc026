"""What there is to name: fusions, encoders, adapters, objectives, heads, recipes, data sources. Imports no torch."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plait.core.config import Recipe, read_recipe
from plait.core.errors import ConfigError, UnknownNameError, nearest
from plait.core.tables import Entry
from plait.data.sources import SOURCES
from plait.encoders import ADAPTERS, IMAGE_ENCODERS, TEXT_ENCODERS
from plait.fusion import FUSIONS
from plait.heads import HEADS
from plait.objectives import OBJECTIVES

if TYPE_CHECKING:  # at run time it would bring torch along
    from plait.data.collection import Collection

__all__ = ["KINDS", "fitting_recipe", "list_names", "read_named", "recipe_names"]

KINDS = ("fusions", "encoders", "adapters", "heads", "objectives", "sources", "recipes")


def list_names(kind: str) -> list[dict[str, Any]]:
    """Give every name of a kind with its family, paper and one-line summary.

    Raises:
        UnknownNameError: no such kind.
    """
    if kind not in KINDS:
        raise UnknownNameError("list", kind, KINDS)
    if kind == "recipes":
        return [_recipe_row(name) for name in recipe_names()]
    if kind == "encoders":
        return _rows(TEXT_ENCODERS, side="text") + _rows(IMAGE_ENCODERS, side="image")
    tables = {"fusions": FUSIONS, "adapters": ADAPTERS, "heads": HEADS, "objectives": OBJECTIVES, "sources": SOURCES}
    return _rows(tables[kind])


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
    """Name the recipe that suits the data: "mask_photos" where every caption has a mask, else "photos".

    The generated sets have their own: "scenes_mask" and "scenes".
    """
    is_generated = collection.name.startswith("scenes")
    if collection.has_masks:
        return "scenes_mask" if is_generated else "mask_photos"
    return "scenes" if is_generated else "photos"


def _rows(table: Mapping[str, Entry], **more: str) -> list[dict[str, Any]]:
    rows = []
    for name, entry in table.items():
        row: dict[str, Any] = {"name": name, **more}
        row |= {"family": entry.family, "paper": entry.paper, "summary": entry.summary}
        if entry.pairings:
            row["pairings"] = list(entry.pairings)
        if table in (FUSIONS, HEADS, OBJECTIVES):
            row["tasks"] = list(entry.tasks)
        rows.append(row)
    return rows


def _recipe_row(name: str) -> dict[str, Any]:
    """Read a recipe's header: the first comment line is its summary."""
    text = (files("plait") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
    summary = next((line.lstrip("# ").strip() for line in text.splitlines() if line.startswith("#")), "")
    data = tomllib.loads(text)
    fusion = data.get("fusion", {}).get("name", "any")
    return {"name": name, "family": fusion, "paper": "-", "summary": summary}
