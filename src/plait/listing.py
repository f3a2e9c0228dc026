"""What there is to name: fusions, encoders, adapters, objectives, heads, recipes, data sources. Imports no torch."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from plait.core.errors import UnknownNameError
from plait.core.tables import Entry
from plait.data.sources import SOURCES
from plait.encoders import ADAPTERS, IMAGE_ENCODERS, TEXT_ENCODERS
from plait.fusion import FUSIONS
from plait.heads import HEADS
from plait.objectives import OBJECTIVES

__all__ = ["KINDS", "list_names", "recipe_names"]

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


def _rows(table: Mapping[str, Entry], **more: str) -> list[dict[str, Any]]:
    rows = []
    for name, entry in table.items():
        row: dict[str, Any] = {"name": name, **more}
        row |= {"family": entry.family, "paper": entry.paper, "summary": entry.summary}
        if entry.pairings:
            row["pairings"] = list(entry.pairings)
        rows.append(row)
    return rows


def _recipe_row(name: str) -> dict[str, Any]:
    """Read a recipe's header: the first comment line is its summary."""
    text = (files("plait") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
    summary = next((line.lstrip("# ").strip() for line in text.splitlines() if line.startswith("#")), "")
    data = tomllib.loads(text)
    fusion = data.get("fusion", {}).get("name", "any")
    return {"name": name, "family": fusion, "paper": "-", "summary": summary}
