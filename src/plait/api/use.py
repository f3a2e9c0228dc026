"""The verbs that use a finished run: open it, package it, and ask what its task answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from plait.compare.results import read_results as read_comparison
from plait.core.errors import CheckpointError
from plait.data.collection import Collection
from plait.data.tokens.cache import cache_root
from plait.predict.open import open_model
from plait.runs.feed import open_feed as open_learner_feed
from plait.runs.open import load_run as load_folder
from plait.runs.package import package_run
from plait.train.events import Listener, silent
from plait.train.feed import Feed
from plait.trained import Model, Run

__all__ = ["DEFAULT_MODEL", "load", "load_run", "open_feed", "package", "read_results", "run_folder", "task_verb"]

DEFAULT_MODEL = "default"


def load(run: str | Path = DEFAULT_MODEL, *, device: str = "auto") -> Model:
    """Open a finished run, or the model shipped in the package ("default"), ready for what its task answers.

    Example:
        model = plait.load("default")
        model.match(["cat.jpg", "coffee.jpg"], ["a cat", "a cup of coffee"]).prob_text
    """
    return open_model(run_folder(run), device=device)


def load_run(run: str | Path = DEFAULT_MODEL, *, device: str = "auto") -> Run:
    """Open a finished run with its record, recipe and weights."""
    return load_folder(run_folder(run), device=device)


def open_feed(
    run: Run,
    collection: Collection,
    *,
    views: Sequence[str] = ("full",),
    cache: Path | None = None,
    listener: Listener = silent,
) -> Feed:
    """Give batches and encoded tokens of a collection, all of its splits, for a finished run's model."""
    recipe = replace(run.recipe, image=replace(run.recipe.image, views=tuple(views)))
    return open_learner_feed(run.learner, recipe, collection, cache=cache or cache_root(), listener=listener)


def read_results(out: str | Path) -> dict[str, Any]:
    """Give what results.json of a comparison says.

    Raises:
        CheckpointError: the folder holds none.
    """
    return read_comparison(Path(out))


def package(run: str | Path, out: str | Path) -> dict[str, Any]:
    """Make a finished run small, to be shipped: float16 weights, its record and a model card, in `out`."""
    return package_run(run_folder(run), Path(out))


def task_verb(name: str) -> Callable[..., Any]:
    """Give the function of a task's verb: `verb(...)` is `load(run).verb(...)`.

    `run` defaults to the model in the package; options are those of the method.
    """

    def verb(*inputs: Any, run: str | Path = DEFAULT_MODEL, **options: Any) -> Any:
        return getattr(load(run), name)(*inputs, **options)

    verb.__name__ = verb.__qualname__ = name
    verb.__doc__ = f"Open a run and call its `{name}`: the same as `plait.load(run).{name}(...)`."
    return verb


def run_folder(run: str | Path) -> Path:
    """Give the folder of a run by its path, or of the shipped model.

    Raises:
        CheckpointError: there is no such folder.
    """
    if str(run) == DEFAULT_MODEL and not Path(run).is_dir():
        return Path(str(files("plait") / DEFAULT_MODEL))
    folder = Path(run)
    if not folder.is_dir():
        raise CheckpointError(f'{folder}: no such folder; expected a finished run, or "default" for the shipped model')
    return folder
