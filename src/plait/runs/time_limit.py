"""As much training as fits into a time: the steps of every run, decided from measured times before training starts.

What is decided is a number of steps, so that each run's schedule ends with its last step. It is kept with the results
and used again when the same command goes on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from plait.core.config import Recipe
from plait.core.errors import ConfigError
from plait.core.files import write_json
from plait.data.collection import Collection
from plait.runs.assemble import assemble_for, completed
from plait.runs.claim import read_or_none
from plait.runs.feed import open_feed
from plait.runs.fit import AUDIT_SEEDS, CURVE_IMAGES, split_for_results
from plait.runs.kinds import check_output
from plait.tasks import find_task
from plait.train.events import Event, Listener, silent
from plait.train.fit import Trainer
from plait.train.hardware import choose_hardware

__all__ = [
    "LIMIT_FILE",
    "Cost",
    "Limit",
    "check_minutes",
    "decide",
    "known_limit",
    "limit_run",
    "measure",
    "steps_within",
]

LIMIT_FILE = "minutes.json"
_STEPS_TIMED, _WARMUP = 9, 4
# Scoring is watched for so long; what is left of it is taken to go on at that speed.
_SCORING_S = 4.0
# Part of the time that is planned with: single steps of a long training are slower than the few that were timed.
_PLANNED = 0.92
# Fewer steps than this are no training, whatever fits.
_LEAST_STEPS = 10


@dataclass(frozen=True)
class Cost:
    """What one run takes, in seconds.

    Fields:
        steps_per_epoch: optimiser steps of an epoch
        steps:           those of the recipe
        step_s:          one step
        check_s:         the measurement after each epoch
        ends_s:          all else: building it, scoring the held-out images, audit
    """

    steps_per_epoch: int
    steps: int
    step_s: float
    check_s: float
    ends_s: float

    def seconds(self, steps: int) -> float:
        """Give the time of a run with so many steps."""
        return steps * self.step_s + math.ceil(steps / self.steps_per_epoch) * self.check_s + self.ends_s


@dataclass(frozen=True)
class Limit:
    """How much training fits: the same for every run.

    Fields:
        minutes:   the time that was given
        steps:     optimiser steps that every run gets
        epochs:    the same in epochs; a whole number, unless not even one fits
        of_epochs: the recipe's
    """

    minutes: float
    steps: int
    epochs: float
    of_epochs: float

    def apply(self, recipe: Recipe) -> Recipe:
        """Give a recipe with so many epochs, or with the steps where these are no whole epochs."""
        if float(self.epochs).is_integer():
            return replace(recipe, train=replace(recipe.train, epochs=int(self.epochs), steps=0))
        return replace(recipe, train=replace(recipe.train, steps=self.steps))

    @property
    def is_cut(self) -> bool:
        """Whether there is less training than the recipe has."""
        return self.epochs < self.of_epochs

    @property
    def sentence(self) -> str:
        """Say it: "3 of 8 epochs were trained, what fits into 20 minutes"."""
        every = f"{self.of_epochs:.3g} epoch{'' if self.of_epochs == 1 else 's'}"
        minutes = f"{self.minutes:g} minute{'' if self.minutes == 1 else 's'}"
        if not self.is_cut:
            return f"All {every} fit into {minutes}."
        return f"{self.epochs:.3g} of {every} were trained: what was estimated to fit into {minutes}."

    def to_json(self) -> dict[str, Any]:
        """Give it as results hold it under "limit"."""
        return {**vars(self), "sentence": self.sentence, "cut": self.is_cut}


def check_minutes(minutes: float | None, match: str = "") -> None:
    """Refuse a time that is none.

    Raises:
        ConfigError: it is not a number above 0, or training times are to be matched as well.
    """
    if minutes is None:
        return
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not 0 < minutes < math.inf:
        raise ConfigError(f"minutes: expected a number above 0, got {minutes!r}")
    if match == "time":
        raise ConfigError(
            "minutes: --match time gives every fusion the training time of the first, and --minutes the same number of "
            "steps to all; use one of them"
        )


def known_limit(folder: Path, minutes: float) -> Limit | None:
    """Give what an earlier command decided for this folder and this time, or None."""
    found = read_or_none(folder / LIMIT_FILE)
    if found is None or found.get("minutes") != minutes:
        return None
    try:
        return Limit(**{key: found[key] for key in ("minutes", "steps", "epochs", "of_epochs")})
    except KeyError:
        return None


def decide(
    recipes: Mapping[str, tuple[Recipe, int]],
    collection: Collection,
    folder: Path,
    *,
    minutes: float,
    began: float,
    cache: Path,
    jobs: int = 1,
    device: str = "auto",
    listener: Listener = silent,
) -> Limit:
    """Decide how many steps every run gets, and keep it in the folder.

    Frozen encoders fill their cache here, so that their time counts. With several jobs, steps are timed with each one's
    part of the threads, but one at a time.

    Arguments:
        recipes: label -> its recipe and how many runs it has
        began:   when the command began, as `time.monotonic` gives it
    Raises:
        ConfigError: not even ten steps fit; the message says how much an epoch would take.
    """
    costs: list[tuple[Cost, int]] = []
    measured: dict[str, Any] = {}
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads // jobs))
    try:
        for place, (label, (recipe, runs)) in enumerate(recipes.items()):
            listener(Event("note", "minutes", place, len(recipes), {"timing": label}))
            cost = measure(recipe, collection, cache=cache, device=device, listener=listener)
            costs.append((cost, runs))
            measured[label] = vars(cost)
    finally:
        torch.set_num_threads(threads)
    left = _PLANNED * (60.0 * minutes - (time.monotonic() - began))
    steps = steps_within(costs, left, jobs=jobs)
    first = costs[0][0]
    if steps == 0:
        epoch = sum(runs * cost.seconds(cost.steps_per_epoch) for cost, runs in costs) / jobs
        needed = (time.monotonic() - began + epoch / _PLANNED) / 60
        raise ConfigError(
            f"minutes: {minutes:g} are too few: one epoch of {sum(runs for _, runs in costs)} run(s) needs about "
            f"{needed:.2g}; give more time, or fewer fusions, seeds or images"
        )
    found = Limit(minutes, steps, steps / first.steps_per_epoch, first.steps / first.steps_per_epoch)
    write_json(folder / LIMIT_FILE, {**found.to_json(), "measured": measured})
    return found


def limit_run(
    recipe: Recipe,
    collection: Collection,
    folder: Path,
    *,
    minutes: float,
    began: float,
    cache: Path,
    device: str = "auto",
    listener: Listener = silent,
) -> Limit:
    """Give how much training of one run fits; what an earlier command decided for this folder stays.

    Raises:
        ConfigError: the folder holds something else, or a run without this limit; or as `decide`.
    """
    check_output(folder, "run")
    known = known_limit(folder, minutes)
    if known is not None:
        return known
    if (folder / "plan.json").is_file():
        raise ConfigError(
            f"{folder} holds another run, which was not begun with a limit of {minutes:g} minutes; choose another "
            "--out, or delete that folder to start again"
        )
    recipes = {recipe.fusion.name: (recipe, 1)}
    return decide(
        recipes,
        collection,
        folder,
        minutes=minutes,
        began=began,
        cache=cache,
        device=device,
        listener=listener,
    )


def steps_within(costs: Sequence[tuple[Cost, int]], seconds: float, *, jobs: int = 1) -> int:
    """Give the most steps that every run can have: whole epochs, or less than one where one does not fit; 0 = too few.

    Arguments:
        costs: what a run takes, and how many of its kind there are; all have the same steps per epoch
    """

    def fits(steps: int) -> bool:
        return sum(runs * cost.seconds(steps) for cost, runs in costs) / jobs <= seconds

    whole, epoch = costs[0][0].steps, costs[0][0].steps_per_epoch
    if fits(whole):
        return whole
    epochs = next((count for count in range(whole // epoch, 0, -1) if fits(count * epoch)), 0)
    if epochs:
        return epochs * epoch
    return next((steps for steps in range(min(epoch, whole), _LEAST_STEPS - 1, -1) if fits(steps)), 0)


def measure(
    recipe: Recipe, collection: Collection, *, cache: Path, device: str = "auto", listener: Listener = silent
) -> Cost:
    """Time what a run of a recipe takes, with untrained weights: some steps, a point of its curve, scoring, audit."""
    hardware = choose_hardware(device)
    recipe = completed(recipe, device=hardware.device)
    work = find_task(recipe.task).load_work()
    before = work.audit_recipe(recipe, seeds=AUDIT_SEEDS)  # once per process and fusion: the run finds it made
    learner = assemble_for(recipe, collection)
    hardware.place(learner)
    feed = open_feed(learner, recipe, collection, cache=cache, listener=listener)
    trainer = Trainer(learner, feed=feed, settings=recipe.train, folder=cache, hardware=hardware)
    step_s = trainer.time_steps(count=_STEPS_TIMED, warmup=_WARMUP)
    learner.eval()
    check_s = 0.0
    if len(collection.splits.get("val", ())) >= 2:
        began = time.perf_counter()
        work.evaluate(learner, feed, recipe, split="val", limit=CURVE_IMAGES)
        check_s = time.perf_counter() - began
    split = split_for_results(dict(collection.splits))
    watch = _Watch()
    try:
        work.evaluate(learner, feed, recipe, split=split, progress=watch)
        scoring_s = time.perf_counter() - watch.began
    except _Enough:
        scoring_s = watch.expected_s
    began = time.perf_counter()
    work.audit_split(before, learner, feed, recipe, split=split, thorough=False)
    ends_s = scoring_s + time.perf_counter() - began
    return Cost(trainer.steps_per_epoch, trainer.total_steps, step_s, check_s, ends_s)


class _Enough(Exception):
    """Scoring was watched long enough."""


class _Watch:
    """The progress of a scoring, which it ends when its speed is known."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.expected_s = 0.0

    def __call__(self, done: int, total: int) -> None:
        spent = time.perf_counter() - self.began
        if spent > _SCORING_S and 0 < done < total:
            self.expected_s = spent / done * total
            raise _Enough
