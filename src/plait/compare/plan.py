"""Fusions x seeds under an equal budget on one cache: runs, leaderboard, paired tests, verdict.

Every run has its own folder and is never done twice: the same command continues where it was stopped, and more
fusions or seeds can be requested later.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from plait.build import check_parts
from plait.compare.budget import BUDGET_FILE, Share, check_match, match_budgets
from plait.compare.comparison import Comparison
from plait.compare.differences import differences
from plait.compare.gallery import merged_gallery
from plait.compare.processes import check_jobs, train_side_by_side
from plait.compare.row import make_row, run_name
from plait.compare.summary import best_first, summarise
from plait.compare.verdict import verdict
from plait.core.config import Recipe, recipe_to_dict
from plait.core.errors import ConfigError
from plait.core.files import read_json, remove_leftovers, write_json
from plait.core.made import parted
from plait.core.metric import metric_table
from plait.core.recipe.variants import variant
from plait.data.collection import Collection
from plait.metrics.effects import power_of_tests
from plait.runs.assemble import completed
from plait.runs.claim import known_recipe, read_or_none
from plait.runs.fit import split_for_results
from plait.runs.kinds import check_output
from plait.runs.record import whole_record
from plait.runs.time_limit import Limit, check_minutes, decide, known_limit
from plait.runs.versions import versions
from plait.tasks import find_task
from plait.train.events import Event, Listener, silent
from plait.train.hardware import choose_hardware

__all__ = ["Plan", "compare_fusions"]


@dataclass(frozen=True)
class Plan:
    """What a comparison is to do.

    Fields:
        recipe:  its fusion's options apply to the fusion it names, those of its variants to theirs; other fusions keep
                 their defaults. Epochs, batches, rates and encoders are the same for all.
        fusions: names or labels of variants
        seeds:   which
        pairing: for all fusions, in place of their own and the recipe's; "" leaves those
        match:   "params" or "time": give every fusion as much as the first one has (see `compare.budget`); "" = the
                 same width and epochs for all
        jobs:    how many runs train side by side, each in a process of its own (see `compare.processes`)
        device:  "auto", "cpu", "cuda" or "mps"
        command: the command line that results.json names
        minutes: fit as many epochs as fit into this time, the same for all; None = those of the recipe
        began:   when the command began, as `time.monotonic` gives it
    """

    recipe: Recipe
    fusions: Sequence[str]
    seeds: Sequence[int]
    command: str
    pairing: str = ""
    match: str = ""
    jobs: int = 1
    device: str = "auto"
    minutes: float | None = None
    began: float = field(default_factory=time.monotonic)


def compare_fusions(
    plan: Plan, collection: Collection, out: Path, *, cache: Path, listener: Listener = silent
) -> Comparison:
    """Fit and evaluate every fusion under every seed, test the differences, and write results.json and gallery.json.

    Raises:
        ConfigError: an unknown fusion, one that does not serve the task, jobs that cannot be, or `out` holds a
            comparison of other data or another recipe.
        InputError: data that the recipe's task cannot learn from.
    """
    task = find_task(plan.recipe.task)
    work = task.load_work()
    check_jobs(plan.jobs, plan.match)
    check_match(plan.match)
    check_minutes(plan.minutes, plan.match)
    choose_hardware(plan.device)
    for fusion in plan.fusions:
        check_parts(_entrant(plan, fusion, 0))
        work.use(_entrant(plan, fusion, 0))
    work.check_data(collection)
    split = split_for_results(dict(collection.splits))
    check_output(out, "comparison")
    if read_or_none(out / "compare.json") is None:  # each is built once before the folder is this comparison's
        for fusion in plan.fusions:
            work.audit_recipe(_entrant(plan, fusion, 0), seeds=1)
    is_new = _claim(out, plan, collection)
    remove_leftovers(out)
    first = {fusion: _entrant(plan, fusion, plan.seeds[0]) for fusion in plan.fusions}
    shares = match_budgets(plan.match, first, collection, out=out, cache=cache, device=plan.device, listener=listener)
    limit = _limit(plan, shares, collection, out, cache=cache, listener=listener, is_new=is_new)
    if limit is not None:
        shares = {name: replace(share, recipe=limit.apply(share.recipe)) for name, share in shares.items()}
    # Seed by seed: stopped early, every fusion has had its turn.
    requested = [(fusion, _seeded(shares[fusion], seed)) for seed in plan.seeds for fusion in plan.fusions]
    rows = _rows(requested, plan, collection, out, cache=cache, listener=listener)
    rows += _earlier_rows(out, {row["run"] for row in rows})
    rows.sort(key=lambda row: row["seed"])
    metric = task.headline([key for row in rows for key in row["metrics"]])
    summary = best_first(summarise(rows, out, task.metrics), metric)
    tests = differences(rows, out, task.metrics)
    power = power_of_tests(tests, metrics=metric_table(task.metrics))
    said = verdict(summary, tests, rows=rows, metric=metric, power=power)
    if limit is not None and limit.is_cut:
        said = replace(said, warnings=(limit.sentence, *said.warnings))
    results = {
        "task": task.name,
        "plait": version("plait"),
        "versions": versions(),
        "command": plan.command,
        "jobs": plan.jobs,
        "data": {**collection.facts(), "eval_split": split},
        "settings": recipe_to_dict(plan.recipe),
        **({} if limit is None else {"limit": limit.to_json()}),
        "rows": rows,
        "summary": summary,
        "tests": tests,
        "power": power,
        "verdict": said.text,
        "verdict_parts": said.to_json(),
    }
    write_json(out / "results.json", parted(results))
    write_json(out / "gallery.json", merged_gallery(out, results, collection))
    return Comparison(out, results, sum(row["status"] == "failed" for row in rows))


def _rows(
    requested: Sequence[tuple[str, Share]],
    plan: Plan,
    collection: Collection,
    out: Path,
    *,
    cache: Path,
    listener: Listener,
) -> list[dict[str, Any]]:
    """Make the rows in the order requested: one run after the other, or several at a time."""
    names = [run_name(label, share.recipe.train.seed) for label, share in requested]
    unfinished = {name for name in names if whole_record(out / "runs" / name) is None}
    jobs = min(plan.jobs, len(unfinished))
    if jobs > 1:
        return train_side_by_side(
            requested, collection, out, cache=cache, jobs=jobs, device=plan.device, listener=listener
        )
    rows: list[dict[str, Any]] = []
    for name, (label, share) in zip(names, requested, strict=True):
        # What is ahead is said by label: the time that is left depends on which fusions these are.
        later = zip(names[len(rows) + 1 :], requested[len(rows) + 1 :], strict=True)
        ahead = [other for run, (other, _) in later if run in unfinished]
        listener(Event("run", name, len(rows), len(requested), {"label": label, "ahead": ahead}))
        rows.append(make_row(label, share, collection, out, cache=cache, device=plan.device, listener=listener))
    return rows


def _entrant(plan: Plan, fusion: str, seed: int) -> Recipe:
    """Give the recipe of one fusion of the comparison under one seed."""
    found = variant(plan.recipe, fusion)
    settings = replace(found.fusion, pairing=plan.pairing or found.fusion.pairing)
    return completed(replace(found, fusion=settings, train=replace(found.train, seed=seed)))


def _seeded(share: Share, seed: int) -> Share:
    return replace(share, recipe=replace(share.recipe, train=replace(share.recipe.train, seed=seed)))


def _earlier_rows(out: Path, present: set[str]) -> list[dict[str, Any]]:
    """Give the runs that earlier commands in this folder finished or failed, so that a comparison can grow."""
    found = [read_json(path) for path in sorted((out / "runs").glob("*/row.json"))]
    return [row for row in found if row["run"] not in present]


def _limit(
    plan: Plan,
    shares: Mapping[str, Share],
    collection: Collection,
    out: Path,
    *,
    cache: Path,
    listener: Listener,
    is_new: bool,
) -> Limit | None:
    """Give how much training fits into the plan's time: what an earlier command decided here, or what is found now."""
    if plan.minutes is None:
        return None
    known = known_limit(out, plan.minutes)
    if known is not None:
        return known
    recipes = {name: (share.recipe, len(plan.seeds)) for name, share in shares.items()}
    try:
        return decide(
            recipes,
            collection,
            out,
            minutes=plan.minutes,
            began=plan.began,
            cache=cache,
            jobs=plan.jobs,
            device=plan.device,
            listener=listener,
        )
    except ConfigError:
        if is_new:  # a refusal leaves nothing behind: the folder is free for a longer time
            for name in ("compare.json", BUDGET_FILE):
                (out / name).unlink(missing_ok=True)
            with suppress(OSError):
                out.rmdir()
        raise


def _claim(out: Path, plan: Plan, collection: Collection) -> bool:
    """Refuse to mix comparisons: one folder holds one data set under one budget. Says whether the folder was free."""
    lock: dict[str, Any] = {"data": collection.fingerprint, "settings": _settings(recipe_to_dict(plan.recipe))}
    options = {"pairing": plan.pairing, "match": plan.match, "minutes": plan.minutes}
    lock |= {key: value for key, value in options.items() if value}
    path = out / "compare.json"
    then = read_or_none(path)
    if then is None:  # runs have plans of their own, so a damaged lock mixes nothing
        write_json(path, lock)
        return True
    then["settings"] = _settings(then.get("settings", {}))
    if then != lock:
        what = "other data" if then.get("data") != lock["data"] else "another budget or recipe"
        raise ConfigError(
            f"{out} holds a comparison of {what}; fusions and seeds may differ, data, epochs, limits and settings may "
            "not. Choose another --out, or delete that folder"
        )
    return False


def _settings(recipe: dict[str, Any]) -> dict[str, Any]:
    """Give a recipe's settings as they are compared: with today's keys, without the seed and the name."""
    known = known_recipe(recipe)
    return {**known, "train": {**known.get("train", {}), "seed": None}, "name": None}
