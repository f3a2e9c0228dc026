"""A recipe to edit: that of the package with its comments, a file's, or the whole recipe of a run. Imports no torch."""

from __future__ import annotations

import warnings
from importlib.resources import files
from pathlib import Path
from typing import Any

from plait.core.config import Recipe, read_recipe, recipe_from_dict, recipe_to_dict
from plait.core.errors import CheckpointError
from plait.core.files import read_json
from plait.core.recipe.renamed import RenamedWarning
from plait.core.recipe.text import named_text, recipe_to_toml
from plait.listing import read_named

__all__ = ["RECIPE_FILE", "recipe_text", "run_recipe"]

# A packaged model has its recipe beside its card.
RECIPE_FILE = "recipe.toml"


def recipe_text(name: str | Path) -> str:
    """Give a recipe as TOML text that reads back as an equal recipe.

    Arguments:
        name: of a recipe of the package, or the path of a .toml file: its text, comments included; or the folder of a
            run or a packaged model: all settings of the recipe that it was trained with
    Raises:
        ConfigError: none of these, or the recipe is wrong.
        CheckpointError: the folder holds no run, or is damaged.
    """
    path = Path(name)
    if path.is_dir():
        return f"# The whole recipe of the run {path.resolve().name}.\n{recipe_to_toml(run_recipe(path))}"
    recipe = read_named(name)
    source = path if str(name).endswith(".toml") else Path(str(files("plait") / "recipes" / f"{name}.toml"))
    return named_text(source.read_text(encoding="utf-8"), recipe.name)


def run_recipe(folder: Path) -> Recipe:
    """Give the recipe that a run was trained with, as `plait fit` trains it again.

    A run of a comparison with equal training times has a number of steps of its own: it is in the recipe as
    `train.steps`.

    Raises:
        CheckpointError: the folder holds no run, or its record is damaged.
    """
    if (folder / RECIPE_FILE).is_file() and not (folder / "plan.json").is_file():
        return read_recipe(folder / RECIPE_FILE)
    # Of a run that is not finished the plan is known.
    found = next((folder / file for file in ("run.json", "plan.json") if (folder / file).is_file()), None)
    if found is None:
        runs = sorted(path.parent.name for path in folder.glob("runs/*/plan.json"))
        hint = f"; it holds a comparison, whose runs are {', '.join(runs)} in {folder / 'runs'}" if runs else ""
        raise CheckpointError(f"{folder}: expected the folder of a run, with run.json or plan.json, got none{hint}")
    plain = _record(found).get("recipe")
    if not isinstance(plain, dict):
        raise CheckpointError(f"{found}: expected a 'recipe'; the file is damaged. The command that made it repairs it")
    steps = _record(folder / "plan.json").get("steps") if (folder / "plan.json").is_file() else None
    with warnings.catch_warnings():  # a run of an earlier version is not the user's to change
        warnings.simplefilter("ignore", RenamedWarning)
        recipe = recipe_from_dict(plain, where=str(found))
    if not isinstance(steps, int):
        return recipe
    plain = recipe_to_dict(recipe)
    return recipe_from_dict({**plain, "train": {**plain["train"], "steps": steps}}, where=str(found))


def _record(path: Path) -> dict[str, Any]:
    found = read_json(path)
    return found if isinstance(found, dict) else {}
