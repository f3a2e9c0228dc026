"""Open a finished run, score a split with it, and audit it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from plait.audit.overlap import shared_images
from plait.audit.record import Audit
from plait.audit.verdict import with_overlap
from plait.build import needs_words
from plait.core.config import Recipe, recipe_from_dict
from plait.core.errors import CheckpointError, ConfigError, InputError, shown
from plait.core.evaluation import Evaluation
from plait.core.recipe.renamed import RenamedWarning
from plait.data.collection import Collection, keep_photos
from plait.data.sources.table import read_json_file
from plait.data.text import WordInput
from plait.model import Learner
from plait.runs.assemble import assemble, completed
from plait.runs.feed import open_feed
from plait.runs.fit import HEAD_FILE, WORDS_FILE, scoring, split_for_results
from plait.runs.record import RECORD_FILE, sound_record, with_status
from plait.runs.weights import load_weights
from plait.tasks import find_task
from plait.train.events import Listener, silent
from plait.train.feed import Feed
from plait.train.hardware import Hardware, choose_hardware
from plait.trained import Run

__all__ = ["audit_run", "evaluate_run", "load_run", "open_run", "open_run_feed"]


def load_run(folder: Path, *, device: str = "auto") -> Run:
    """Load a finished run, its weights included. Raises as `open_run` and `Run.learner`."""
    run = open_run(folder, device=device)
    run.learner.eval()
    return run


def open_run(folder: Path, *, device: str = "auto") -> Run:
    """Open a finished run: its record is read and its files are checked now, its weights when they are first used.

    Raises:
        CheckpointError: there is none, or it is damaged. Weights that belong to another model or are not finite, and
            frozen encoders that are not the ones it was trained with, show when they are used.
        ConfigError: there is no such device.
    """
    hardware = choose_hardware(device)
    record = sound_record(folder)
    path = folder / RECORD_FILE
    try:
        # A run that was written by an earlier version is not the user's to change: its old names need no warning.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RenamedWarning)
            recipe = completed(recipe_from_dict(record["recipe"], where=str(path)))
        identities = {side: record["encoders"][side] for side in ("text", "image")}
        record = with_status(record)
    except (KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path}: expected a run's record, but {error!r}; the file is damaged, fit the run again"
        ) from None
    load = partial(_load_learner, folder, recipe, identities, hardware)
    return Run(folder, record, recipe, load, predictor=find_task(recipe.task).load_work().predictor)


def _load_learner(folder: Path, recipe: Recipe, identities: Mapping[str, str], hardware: Hardware) -> Learner:
    words = WordInput.load(folder / WORDS_FILE) if needs_words(recipe) else None
    known = _head_data(folder) if find_task(recipe.task).head_data else {}
    learner = assemble(recipe, words, known=known)
    load_weights(folder, learner)
    learner.eval()
    for side, then in identities.items():
        here = getattr(learner.model, side).identity
        if here != then:
            raise CheckpointError(
                f"{folder}: its {side} encoder was {then!r}, this machine has {here!r}; install the same weights, or "
                "fit the run again"
            )
    hardware.place(learner)
    return learner


def _head_data(folder: Path) -> dict[str, Any]:
    """Read what the training captions gave the run's head.

    Raises:
        CheckpointError: the file is missing or holds something else.
    """
    path = folder / HEAD_FILE
    try:
        known = read_json_file(path)
    except InputError as error:
        raise CheckpointError(f"{error}; fit the run again") from error
    if not isinstance(known, dict):
        raise CheckpointError(f"{path}: expected an object with options of the head; fit the run again")
    return known


def open_run_feed(
    run: Run, collection: Collection, *, split: str, cache: Path, listener: Listener = silent
) -> tuple[Feed, Recipe]:
    """Give batches of one split of a collection for a finished run, and the recipe that sees images as they are.

    Raises:
        ConfigError: no such split.
        InputError: data that the run's task cannot be measured on.
    """
    if not isinstance(split, str) or split not in collection.splits:
        raise ConfigError(
            f"data {collection.name!r} has no split {shown(split)}; it has: {', '.join(collection.splits)}"
        )
    find_task(run.recipe.task).load_work().check_data(collection)
    recipe = replace(run.recipe, image=replace(run.recipe.image, views=("full",)))
    part = keep_photos(collection, collection.splits[split])  # nothing else is encoded
    return open_feed(run.learner, recipe, part, cache=cache, listener=listener), recipe


def evaluate_run(
    run: Run, collection: Collection, *, split: str | None = None, cache: Path, listener: Listener = silent
) -> Evaluation:
    """Score a split of a collection with a finished run; what it chose at its own evaluation is not chosen again.

    Arguments:
        split: None = the one that `fit_run` reports: test if there is one, else val
    Raises:
        ConfigError: no such split.
        InputError: no split is named, and there is neither test nor val.
    """
    split = split_for_results(dict(collection.splits)) if split is None else split
    work = find_task(run.recipe.task).load_work()
    feed, recipe = open_run_feed(run, collection, split=split, cache=cache, listener=listener)
    known = run.record.get(run.recipe.task)
    progress = scoring(run.folder.name, split, listener)
    return work.evaluate(run.learner, feed, recipe, split=split, known=known, progress=progress)


def audit_run(
    run: Run, collection: Collection | None, *, split: str, cache: Path, seeds: int = 20, listener: Listener = silent
) -> Audit:
    """Audit a finished run: its fusion on noise and, given data, its trained model on a split.

    Raises:
        ConfigError: no such split, or the run's task has no such audit.
    """
    work = find_task(run.recipe.task).load_work()
    audit = work.audit_recipe(run.recipe, seeds=seeds)
    if collection is not None:
        feed, recipe = open_run_feed(run, collection, split=split, cache=cache, listener=listener)
        audit = work.audit_split(audit, run.learner, feed, recipe, split=split, thorough=True)
    if audit is not None and audit.data is not None and collection is not None and collection.splits.get("train"):
        shared = None if split == "train" else shared_images(collection, split, perceptual=True)
        audit = with_overlap(audit, shared)  # the feed held one split only
    if audit is None:
        raise ConfigError(
            f"{run.folder}: a run of task {run.recipe.task!r} is not audited on noise; give data with --data, or see "
            "`plait evaluate`, which measures what is left when a side is removed or exchanged"
        )
    return audit
