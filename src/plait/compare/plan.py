"""Fusions x seeds under an equal budget on one cache: runs, leaderboard, paired tests, verdict.

Every run has its own folder and is never done twice: the same command goes on where it was stopped, and more fusions or
seeds can be asked for later.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from plait.build import resolve_pairing
from plait.core.config import Recipe, recipe_from_dict, recipe_to_dict, variant
from plait.core.errors import CheckpointError, ConfigError
from plait.core.files import read_json, write_json
from plait.data.collection import Collection
from plait.metrics.effects import power_of_tests
from plait.metrics.statistics import bootstrap_interval, bootstrap_median, pairwise_tests
from plait.compare.verdict import verdict
from plait.compare.budget import Share, match_budgets
from plait.train.checkpoint import read_tensors
from plait.tasks.match.evaluate import split_for_results, weight_of
from plait.train.events import Event, Listener, silent
from plait.compare.row import make_row, run_name
from plait.runs.run import finished_record
from plait.compare.processes import check_jobs, train_side_by_side
from plait.runs.versions import versions

__all__ = ["Comparison", "command_of", "compare_fusions"]

TESTED = ("t2i_r1", "i2t_r1", "binding_accuracy", "miou", "oiou")


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Fields:
        folder:  where results.json and the runs lie
        results: what results.json says
        failed:  how many runs failed; the command line's exit code depends on it
    """

    folder: Path
    results: dict[str, Any]
    failed: int


def compare_fusions(
    recipe: Recipe,
    collection: Collection,
    *,
    fusions: Sequence[str],
    seeds: Sequence[int],
    out: Path,
    cache: Path,
    command: str,
    pairing: str = "",
    match: str = "",
    jobs: int = 1,
    listener: Listener = silent,
) -> Comparison:
    """Fit and evaluate every fusion under every seed, test the differences, and write results.json.

    The recipe's own fusion options apply to the fusion it names, those of its variants to theirs; other fusions keep
    their defaults. Epochs, batches, rates and encoders are the same for all.

    Args:
        pairing: for all fusions, in place of their own and the recipe's; "" leaves those
        match:   "params" or "time": give every fusion as much as the first one has (see `train.budget`); "" = the same
            width and epochs for all
        jobs:    how many runs train side by side, each in a process of its own (see `train.side_by_side`)
    Raises:
        ConfigError: an unknown fusion, one that lacks the pairing, jobs that cannot be, or `out` holds a comparison of
            other data or another recipe.
    """
    check_jobs(jobs, match)
    for fusion in fusions:
        resolve_pairing(_for_fusion(recipe, fusion, 0, pairing).fusion, recipe.task)
    split = split_for_results(dict(collection.splits))
    _claim(out, recipe, collection, {"pairing": pairing, "match": match})
    first = {fusion: _for_fusion(recipe, fusion, seeds[0], pairing) for fusion in fusions}
    shares = match_budgets(match, first, collection, out=out, cache=cache, listener=listener)
    # Seed by seed: stopped early, every fusion has had its turn.
    asked = [(fusion, _seeded(shares[fusion], seed)) for seed in seeds for fusion in fusions]
    rows = _rows(asked, collection, out, cache=cache, jobs=jobs, listener=listener)
    rows += _earlier_rows(out, {row["run"] for row in rows})
    rows.sort(key=lambda row: row["seed"])
    names = list(dict.fromkeys(row["fusion"] for row in rows))
    summary = [_summary([row for row in rows if row["fusion"] == name], out) for name in names]
    summary = [entry for entry in summary if entry]
    # Leaky figures come last: they are no results of matching, however high.
    ranked_by = "miou" if recipe.task == "mask" else "t2i_r1"
    summary.sort(key=lambda entry: ("leaky" in entry["flags"], -entry[ranked_by]["mean"]))
    tests = _tests(rows, out)
    power = power_of_tests(tests)
    results = {
        "task": recipe.task,
        "plait": version("plait"),
        "versions": versions(),
        "command": command,
        "jobs": jobs,
        "data": {**collection.facts(), "eval_split": split},
        "settings": recipe_to_dict(recipe),
        "rows": rows,
        "summary": summary,
        "tests": tests,
        "power": power,
        "verdict": verdict(summary, tests, rows=rows, metric=_headline(rows), power=power),
    }
    write_json(out / "results.json", results)
    return Comparison(out, results, sum(row["status"] == "failed" for row in rows))


def _rows(
    asked: Sequence[tuple[str, Share]],
    collection: Collection,
    out: Path,
    *,
    cache: Path,
    jobs: int,
    listener: Listener,
) -> list[dict[str, Any]]:
    """Make the rows in the order asked: one run after the other, or several at a time where several are to be made."""
    names = [run_name(label, share.recipe.train.seed) for label, share in asked]
    unfinished = sum(finished_record(out / "runs" / name) is None for name in names)
    if min(jobs, unfinished) > 1:
        return train_side_by_side(asked, collection, out, cache=cache, jobs=min(jobs, unfinished), listener=listener)
    rows: list[dict[str, Any]] = []
    for name, (label, share) in zip(names, asked, strict=True):
        listener(Event("run", name, len(rows), len(asked)))
        rows.append(make_row(label, share, collection, out, cache=cache, listener=listener))
    return rows


def _for_fusion(recipe: Recipe, fusion: str, seed: int, pairing: str = "") -> Recipe:
    found = variant(recipe, fusion)
    settings = replace(found.fusion, pairing=pairing or found.fusion.pairing)  # type: ignore[arg-type]
    return replace(found, fusion=settings, train=replace(recipe.train, seed=seed))


def _seeded(share: Share, seed: int) -> Share:
    return replace(share, recipe=replace(share.recipe, train=replace(share.recipe.train, seed=seed)))


def _earlier_rows(out: Path, present: set[str]) -> list[dict[str, Any]]:
    """Give the runs that earlier commands in this folder finished or failed, so that a comparison can grow."""
    found = [read_json(path) for path in sorted((out / "runs").glob("*/row.json"))]
    return [row for row in found if row["run"] not in present]


def _by_photo(rows: Sequence[dict[str, Any]], out: Path, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Give what each photo adds to a metric, (S, I), and the photos' weights (I,)."""
    return _tables(rows, out, metric, f"counts.{weight_of(metric)}")


def _ranks(rows: Sequence[dict[str, Any]], out: Path, way: str) -> tuple[np.ndarray, np.ndarray]:
    """Give the rank of each query's best right answer, (S, Q), and the photos the queries belong to (Q,)."""
    return _tables(rows, out, f"ranks.{way}", f"rank_photo.{way}")


def _tables(rows: Sequence[dict[str, Any]], out: Path, figures: str, shared: str) -> tuple[np.ndarray, np.ndarray]:
    """Stack one table of every row's run, and give one table that all runs of a split share."""
    paths = [out / row["run"] / "by_photo.safetensors" for row in rows]
    tables = [read_tensors(path)[0] for path in paths]
    for path, table in zip(paths, tables, strict=True):
        if missing := {figures, shared} - table.keys():
            raise CheckpointError(
                f"{path}: holds no {sorted(missing)[0]!r}, another version of Plait wrote it; delete {path.parent}, "
                "and the same command fits that run again"
            )
    return np.stack([table[figures].numpy() for table in tables]), tables[0][shared].numpy()


def _summary(rows: list[dict[str, Any]], out: Path) -> dict[str, Any]:
    rows = [row for row in rows if row["status"] != "failed"]
    if not rows:
        return {}
    entry: dict[str, Any] = {key: rows[0][key] for key in ("fusion", "tokens", "pairing", "rerank_k", "params")}
    entry["seeds"] = len(rows)
    entry |= {"budget": rows[0]["budget"]} if "budget" in rows[0] else {}
    entry["flags"] = sorted({flag for row in rows for flag in row["flags"]})
    entry |= {key: float(np.mean([row[key] for row in rows])) for key in ("step_ms", "train_s", "eval_s", "peak_mb")}
    for metric in rows[0]["metrics"]:
        if metric.endswith("_median_rank"):
            found = bootstrap_median(*_ranks(rows, out, metric.split("_")[0]))
        else:
            values, weights = _by_photo(rows, out, metric)
            found = bootstrap_interval(values, weights=weights, bounds=(0.0, 100.0))
        entry[metric] = {"mean": found.mean, "low": found.low, "high": found.high}
    return entry


def _tests(rows: list[dict[str, Any]], out: Path) -> list[dict[str, Any]]:
    """Test all pairs of fusions on the seeds they share. A leaky fusion is compared with nothing."""
    leaky = {row["fusion"] for row in rows if "leaky" in row["flags"]}
    good = [row for row in rows if row["status"] != "failed" and row["fusion"] not in leaky]
    names = list(dict.fromkeys(row["fusion"] for row in good))
    seeds = [{row["seed"] for row in good if row["fusion"] == name} for name in names]
    shared = sorted(set.intersection(*seeds)) if seeds else []
    if len(names) < 2 or not shared:
        return []
    values: dict[str, dict[str, np.ndarray]] = {}
    weights: dict[str, np.ndarray] = {}
    for metric in [m for m in TESTED if m in good[0]["metrics"]]:
        values[metric] = {}
        for name in names:
            mine = [row for row in good if row["fusion"] == name and row["seed"] in shared]
            values[metric][name], weights[metric] = _by_photo(mine, out, metric)
    return pairwise_tests(values, weights=weights)


def _headline(rows: list[dict[str, Any]]) -> str:
    """Choose what the verdict speaks of: mIoU for masks, binding where the data tests it, else recall@1."""
    if any("miou" in row["metrics"] for row in rows):
        return "miou"
    return "binding_accuracy" if any("binding_accuracy" in row["metrics"] for row in rows) else "t2i_r1"


def _completed(settings: dict[str, Any]) -> dict[str, Any]:
    """Add what recipes did not hold when these settings were written, at its default."""
    try:
        known = recipe_to_dict(recipe_from_dict(settings))
    except ConfigError:  # an older recipe that means something else now: it will differ, and that is said
        return settings
    known["train"].pop("seed")
    known.pop("name")
    return known


def _claim(out: Path, recipe: Recipe, collection: Collection, asked: dict[str, str]) -> None:
    """Refuse to mix comparisons: one folder holds one data set under one budget."""
    settings = recipe_to_dict(recipe)
    settings["train"].pop("seed")
    settings.pop("name")
    lock = {
        "data": collection.fingerprint,
        "settings": settings,
        **{key: value for key, value in asked.items() if value},
    }
    path = out / "compare.json"
    if not path.exists():
        write_json(path, lock)
        return
    then = read_json(path)
    then["settings"] = _completed(then["settings"])
    if then != lock:
        what = "other data" if then["data"] != lock["data"] else "another budget or recipe"
        raise ConfigError(
            f"{out} holds a comparison of {what}; fusions and seeds may differ, data, epochs, limits and settings may "
            "not. Choose another --out, or delete that folder"
        )


def command_of(
    data: str | Path | Collection,
    fusions: Sequence[str],
    seeds: Sequence[int],
    *,
    out: Path,
    options: Mapping[str, object],
) -> str:
    """Give the command line that asks for a comparison; options that are None are left out."""
    where = data.origin if isinstance(data, Collection) else str(data)
    words = ["plait", "compare", "--data", where, "--fusions", ",".join(fusions), "--seeds", _seeds_told(seeds)]
    for name, value in options.items():
        words += [f"--{name}", str(value)] if value is not None else []
    return shlex.join([*words, "--out", str(out)])


def _seeds_told(seeds: Sequence[int]) -> str:
    return str(len(seeds)) if list(seeds) == list(range(len(seeds))) else ",".join(map(str, seeds))
