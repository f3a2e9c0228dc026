"""The verbs that use a finished run: open it, package it, and ask what its task answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from importlib.resources import files
from inspect import signature
from pathlib import Path
from typing import Any

from plait.api.data import token_cache
from plait.api.progress import listening
from plait.compare.comparison import Comparison
from plait.compare.results import open_comparison
from plait.compare.results import read_results as read_comparison
from plait.core.errors import CheckpointError
from plait.core.tables import load_target
from plait.data.collection import Collection
from plait.data.given import as_path
from plait.predict.open import open_model
from plait.runs.feed import open_feed as open_learner_feed
from plait.runs.kinds import output_folder
from plait.runs.open import open_run
from plait.runs.package import package_run
from plait.train.events import Listener, silent
from plait.train.feed import Feed
from plait.train.hardware import choose_hardware
from plait.trained import Model, Run

__all__ = [
    "DEFAULT_MODEL",
    "load",
    "load_comparison",
    "load_run",
    "moved",
    "open_feed",
    "package",
    "read_results",
    "run_folder",
    "task_function",
    "task_verb",
]

DEFAULT_MODEL = "default"


def load(run: str | Path | Run = DEFAULT_MODEL, *, device: str = "auto") -> Model:
    """Open a finished run, or the model shipped in the package ("default"), ready for what its task answers.

    A `Run`, such as `fit` gives, is opened as it is: `device` moves it where it names one.

    Example:
        model = plait.load("default")
        model.match(["cat.jpg", "coffee.jpg"], ["a cat", "a cup of coffee"]).prob_text
    """
    if isinstance(run, Run):
        return moved(run, device).model()
    return open_model(run_folder(run), device=device)


def load_run(run: str | Path | Run = DEFAULT_MODEL, *, device: str = "auto") -> Run:
    """Open a finished run with its record, figures and recipe; weights are loaded when `learner` or `model()` asks.

    Raises:
        CheckpointError: there is no finished run, or its files are damaged.
    """
    return moved(run, device) if isinstance(run, Run) else open_run(run_folder(run), device=device)


def load_comparison(out: str | Path) -> Comparison:
    """Open a finished comparison by its folder: rows, summary, verdict, and its runs.

    Raises:
        CheckpointError: the folder holds none, or its figures cannot be.
    """
    return open_comparison(as_path(out, "comparison"))


def moved(run: Run, device: str) -> Run:
    """Give the run with its weights on a device; "auto" leaves them where they are."""
    if device != "auto":
        choose_hardware(device).place(run.learner)
    return run


def open_feed(
    run: Run,
    collection: Collection,
    *,
    views: Sequence[str] = ("full",),
    cache: str | Path | None = None,
    listener: Listener = silent,
) -> Feed:
    """Give batches and encoded tokens of a collection, all of its splits, for a finished run's model."""
    recipe = replace(run.recipe, image=replace(run.recipe.image, views=tuple(views)))
    return open_learner_feed(run.learner, recipe, collection, cache=token_cache(cache), listener=listener)


def read_results(out: str | Path) -> dict[str, Any]:
    """Give what results.json of a comparison says.

    Raises:
        CheckpointError: the folder holds none.
    """
    return read_comparison(as_path(out, "comparison"))


def package(run: str | Path | Run, out: str | Path) -> dict[str, Any]:
    """Make a finished run small, to be shipped: float16 weights, its record and a model card, in `out`.

    Returns: {"out", "bytes"}: where, and how large the weights are.
    Raises:
        ConfigError: `out` is the run's own folder, or holds something else.
        CheckpointError: no finished run, or weights too large for float16.
    """
    folder = run.folder if isinstance(run, Run) else run_folder(run)
    place = as_path(out, "--out")
    # The run's own folder has a refusal of its own, which says more.
    return package_run(folder, place if place.resolve() == folder.resolve() else output_folder(out, "packaged model"))


def task_verb(name: str) -> Callable[..., Any]:
    """Give the function of a task's verb: `verb(...)` is `load(run).verb(...)`.

    `run` defaults to the model in the package; options are those of the method.
    """

    def verb(*inputs: Any, run: str | Path | Run = DEFAULT_MODEL, **options: Any) -> Any:
        return getattr(load(run), name)(*inputs, **options)

    verb.__name__ = verb.__qualname__ = name
    verb.__doc__ = f"Open a run and call its `{name}`: the same as `plait.load(run).{name}(...)`."
    return verb


def task_function(target: str, api: Any) -> Callable[..., Any]:
    """Give a function that a task brings beside its verb, such as `probe`; it is handed `api`, the module."""
    return _handed(load_target(target), api)


def run_folder(run: str | Path) -> Path:
    """Give the folder of a run by its path, or of the shipped model.

    Raises:
        CheckpointError: there is no such folder.
        ConfigError: no path, or an empty one.
    """
    folder = as_path(run, "run")
    if str(run) == DEFAULT_MODEL and not folder.is_dir():
        return Path(str(files("plait") / DEFAULT_MODEL))
    if not folder.is_dir():
        raise CheckpointError(f'{folder}: no such folder; expected a finished run, or "default" for the shipped model')
    return folder


def _handed(function: Callable[..., Any], api: Any) -> Callable[..., Any]:
    @wraps(function)
    def verb(*inputs: Any, listener: Listener | None = None, progress: bool | None = None, **options: Any) -> Any:
        with listening(listener, progress) as listen:
            return function(api, *inputs, listener=listen, **options)

    own, whole = signature(verb, follow_wrapped=False).parameters, signature(function)
    shown = [one for name, one in whole.parameters.items() if name != "listener"][1:]
    verb.__dict__["__signature__"] = whole.replace(parameters=[*shown, own["listener"], own["progress"]])
    return verb
