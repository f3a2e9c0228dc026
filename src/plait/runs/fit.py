"""One run: a recipe fitted on a collection, evaluated, audited, and written to a folder another process can load.

A run's folder holds `run.json` (recipe, data, encoders, versions, figures), `weights.safetensors` (what was trained),
`vocabulary.json` (from-scratch words), `head.json` (what the training captions gave the head), `gallery.json` (sample
answers), `by_photo.safetensors` (what each image adds to each metric, for paired tests) and `events.jsonl`. While it
trains there is also `state.safetensors`. `pictures/` holds what some tasks show after each epoch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from plait.build import check_parts
from plait.core.config import Recipe, recipe_to_dict
from plait.core.errors import InputError
from plait.core.evaluation import Evaluation
from plait.core.files import remove_leftovers, write_json
from plait.core.locks import locked
from plait.data.collection import Collection
from plait.data.text import WordInput
from plait.explain.overlay import save_png
from plait.model import Learner
from plait.runs.assemble import assemble, assemble_for, completed, head_data, make_words
from plait.runs.claim import check_claim, claim, plan_of
from plait.runs.feed import open_feed
from plait.runs.items import ITEMS_FILE, write_items
from plait.runs.kinds import check_output
from plait.runs.record import make_record, whole_record, with_status, write_record
from plait.runs.weights import WEIGHTS_FILE, load_weights, save_weights
from plait.task import Task
from plait.tasks import find_task
from plait.train.events import Event, Listener, jsonl_log, silent
from plait.train.fit import Trainer
from plait.train.hardware import choose_hardware

__all__ = ["FIRST_STAGE", "HEAD_FILE", "WORDS_FILE", "first_stage_name", "fit_run", "scoring", "split_for_results"]

WORDS_FILE = "vocabulary.json"
HEAD_FILE = "head.json"
# The files whose hashes are in a run's record.
FILES = (WEIGHTS_FILE, ITEMS_FILE, WORDS_FILE, HEAD_FILE, "gallery.json")
# The curve's points are measured on so many images of the val split.
CURVE_IMAGES = 100
# What a task shows of the curve's points, one file per epoch and picture.
PICTURES = "pictures"
# The folder of first stages, in the run's own folder or where several runs share them.
FIRST_STAGE = "first"
# Sets of random weights in the audit before a fit: a leak finds nearly all pairs, chance ends at one in eight.
AUDIT_SEEDS = 6


def fit_run(
    recipe: Recipe,
    collection: Collection,
    folder: Path,
    *,
    cache: Path,
    steps: int | None = None,
    label: str = "",
    jobs: int = 1,
    device: str = "auto",
    limit: Mapping[str, Any] | None = None,
    shared: Path | None = None,
    listener: Listener = silent,
) -> tuple[dict[str, Any], Evaluation | None]:
    """Train, evaluate and save one run; or, if the folder holds this very run finished, give its record.

    Args:
        steps:  optimiser steps, in place of the recipe's epochs
        label:  what progress calls it; "" = the fusion's name
        jobs:   how many runs train side by side, this one among them; the record says so beside its times
        device: "auto", "cpu", "cuda" or "mps"; a run may continue on another device
        shared: where first stages lie that several runs begin from; None = in the run's own folder
        limit:  what the record says of a limit of time that set the recipe's epochs (`plait.runs.time_limit`)
    Returns: the record (`run.json`) and, if the run was made now, its evaluation.
    Raises:
        ConfigError: a name or a device that is not there, or the folder holds another run.
        TrainingError, StorageError, InputError: see the parts; what was computed stays, and the same command continues.
    """
    hardware = choose_hardware(device)
    recipe = completed(recipe, device=hardware.device)
    task = find_task(recipe.task)
    work = task.load_work()
    check_parts(recipe)  # what is cheap is checked before anything is written or encoded
    use = work.use(recipe)
    work.check_data(collection)
    recipe = work.fill_in(recipe, collection)
    split = _checked_splits(collection)
    plan = plan_of(recipe, collection, steps)
    check_output(folder, "run")
    known = check_claim(folder, plan)
    if known:
        remove_leftovers(folder)  # a killed run may have left one as large as its weights and optimiser
    if known and (record := whole_record(folder)) is not None:
        claim(folder, plan)
        return with_status(record), None
    what = f"{label or recipe.fusion.name}, seed {recipe.train.seed}"
    before, words = work.audit_recipe(recipe, seeds=AUDIT_SEEDS), make_words(recipe, collection)
    known_of_head = head_data(recipe, collection)
    learner = assemble(recipe, words, known=known_of_head)
    claim(folder, plan)  # nothing is written before all parts are there: a refusal leaves nothing behind
    _keep(folder, words, known_of_head)
    listener = jsonl_log(folder / "events.jsonl", listener)
    first = _begin(learner, recipe, collection, shared or folder, cache=cache, device=device, listener=listener)
    hardware.place(learner)
    feed = open_feed(learner, recipe, collection, cache=cache, listener=listener)
    trainer = Trainer(learner, feed=feed, settings=recipe.train, folder=folder, hardware=hardware, steps=steps)
    with trainer.resumable():
        check = _curve_point(task, trainer, recipe, pictures=folder / PICTURES)
        result = trainer.run(what=what, listener=listener, check=check)
        evaluation = work.evaluate(learner, feed, recipe, split=split, progress=scoring(what, split, listener))
        audit = work.audit_split(before, learner, feed, recipe, split=split, thorough=False)
        sitting: dict[str, Any] = {"jobs": jobs, "threads": torch.get_num_threads(), "device": hardware.device.type}
        sitting |= first if limit is None else {**first, "limit": dict(limit)}
        record = make_record(
            recipe, collection, learner, use=use, result=result, evaluation=evaluation, audit=audit, sitting=sitting
        )
        save_weights(folder, learner, {"recipe": plan["recipe"]})
        write_items(folder, evaluation)
        write_json(folder / "gallery.json", work.gallery(learner, feed, evaluation, fusion=recipe.fusion.name))
        write_record(folder, record, FILES)
    trainer.forget()
    listener(Event("evaluate", what, 1, 1, evaluation.metrics))
    return record, evaluation


def _begin(
    learner: Learner,
    recipe: Recipe,
    collection: Collection,
    shared: Path,
    *,
    cache: Path,
    device: str,
    listener: Listener,
) -> dict[str, float]:
    """Train the run that this one begins from, unless it is there, and take over its weights.

    Returns: {"first_stage_s": its training time}, or {} where a run begins from new weights.
    """
    work = find_task(recipe.task).load_work()
    if (first := work.first_stage(recipe)) is None:
        return {}
    place = shared / FIRST_STAGE / first_stage_name(first)
    with locked(place.with_name(f"{place.name}.lock")):  # of runs side by side, one trains it
        record, _ = fit_run(completed(first), collection, place, cache=cache, device=device, listener=listener)
    work.begin_from(learner, _trained(first, collection, place))
    return {"first_stage_s": float(record["train_s"])}


def _keep(folder: Path, words: WordInput | None, known_of_head: Mapping[str, Any]) -> None:
    """Keep with the run what its training captions gave its text encoder and its head."""
    if words is not None:
        write_json(folder / WORDS_FILE, words.to_json())
    if known_of_head:
        write_json(folder / HEAD_FILE, known_of_head)


def first_stage_name(recipe: Recipe) -> str:
    """Give the folder name of a first stage: the same for every run that begins from the same training."""
    plain = {**recipe_to_dict(completed(recipe)), "name": None}
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
    return f"{recipe.name}-s{recipe.train.seed}-{digest[:8]}"


def _trained(recipe: Recipe, collection: Collection, folder: Path) -> Learner:
    """Give the learner of a finished first stage."""
    learner = assemble_for(completed(recipe), collection)
    load_weights(folder, learner)
    return learner


def _checked_splits(collection: Collection) -> str:
    """Give the split for the results. Raises InputError where there is none, or none to learn from."""
    split = split_for_results(dict(collection.splits))
    if not collection.splits.get("train"):
        raise InputError(f"{collection.origin}: no split 'train' to learn from; it has: {', '.join(collection.splits)}")
    return split


def split_for_results(splits: dict[str, tuple[int, ...]]) -> str:
    """Give the split that results are reported on: "test" if there is one, else "val".

    Raises:
        InputError: neither exists; scoring the training images would say nothing.
    """
    for name in ("test", "val"):
        if splits.get(name):
            return name
    raise InputError(
        f"the data has no test or val split (found: {', '.join(splits) or 'none'}); scores on training photos mean "
        "nothing. Give a splits.json with a val list, or leave it out and let Plait split by photo"
    )


def scoring(what: str, split: str, listener: Listener) -> Callable[[int, int], None]:
    """Give what tells the listener how far the scoring of a split has come."""

    def progress(done: int, total: int) -> None:
        listener(Event("step", f"{what}: scoring {split}", done, total))

    return progress


def _curve_point(task: Task, trainer: Trainer, recipe: Recipe, *, pictures: Path) -> Callable[[], dict[str, float]]:
    """Give the measurement of a curve's point: a part of the val split. No epoch is chosen by it; the last counts.

    Pictures that the task shows of it go into a folder, with the number of the epoch.
    """
    keys = [metric.key for metric in task.metrics if metric.on_curve]
    work = task.load_work()

    def check() -> dict[str, float]:
        if len(trainer.feed.collection.splits.get("val", ())) < 2:
            return {}
        evaluation = work.evaluate(trainer.learner, trainer.feed, recipe, split="val", limit=CURVE_IMAGES)
        for name, picture in evaluation.pictures.items():
            save_png(picture, pictures / f"{len(trainer.progress.curve) + 1:03d}-{name}.png")
        found = evaluation.metrics
        return {key: found[key] for key in keys if key in found}

    return check
