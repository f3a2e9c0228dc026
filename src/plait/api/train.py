"""The verbs that train and judge: fit, evaluate, compare, audit, report."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from plait.api.data import open_data, verify
from plait.api.use import load_run
from plait.audit.record import Audit
from plait.build import expand_fusions
from plait.compare.plan import Comparison, Plan, compare_fusions
from plait.compare.results import report_comparison
from plait.core.config import FusionSettings, Recipe, overridden
from plait.core.errors import ConfigError
from plait.core.evaluation import Evaluation
from plait.core.files import write_json
from plait.core.made import parted
from plait.data.collection import Collection
from plait.data.tokens.cache import cache_root
from plait.listing import fitting_recipe, read_named
from plait.runs.assemble import completed
from plait.runs.fit import fit_run
from plait.runs.open import audit_run, evaluate_run
from plait.runs.time_limit import check_minutes, limit_run
from plait.tasks import find_task
from plait.train.events import Listener, silent
from plait.train.hardware import choose_hardware

__all__ = ["audit", "compare", "evaluate", "fit", "recipe", "recipe_for", "report", "requested_by"]


def recipe(name: str | Path) -> Recipe:
    """Read a recipe by its name in the package (`plait list recipes`) or from a TOML file.

    Raises:
        ConfigError: neither; or the file is wrong (see `plait.core.config`).
    """
    return read_named(name)


def recipe_for(given: Recipe | str | Path | None, collection: Collection) -> Recipe:
    """Give the recipe named, or the one that suits the data; see `plait.listing.fitting_recipe`."""
    if isinstance(given, Recipe):
        return given
    return recipe(given if given is not None else fitting_recipe(collection))


def fit(
    recipe_or_name: Recipe | str | Path | None,
    data: str | Path | Collection,
    out: str | Path,
    *,
    tokens: str | None = None,
    pairing: str | None = None,
    limit: int | None = None,
    minutes: float | None = None,
    device: str = "auto",
    devices: int = 1,
    cache: Path | None = None,
    listener: Listener = silent,
) -> dict[str, Any]:
    """Train one recipe on a data set, evaluate it on the held-out images, and save it in `out`.

    Args:
        tokens:  "tokens" or "pooled", in place of the recipe's
        pairing: "all", "itm", "rerank" or "matched" (leaky, for reproduction only), in place of the recipe's
        minutes: train as many of the recipe's epochs as fit into this time, encoding and evaluation included
        device:  "auto", "cpu", "cuda" or "mps"; `devices` is how many of them (see `plait.train.hardware`)
    Returns: the run's record (what `run.json` holds): metrics, parameters, times, curve, versions.
    Raises:
        PlaitError: see the parts. The same call goes on where a stopped one was.
    """
    cache, began = cache or cache_root(), time.monotonic()
    choose_hardware(device, devices=devices)
    check_minutes(minutes)
    collection = open_data(data, limit=limit)
    chosen = overridden(recipe_for(recipe_or_name, collection), tokens, pairing)
    find_task(chosen.task).load_work().use(completed(chosen))  # before every image is decoded
    collection = verify(collection, cache=cache, listener=listener)
    fits = None
    if minutes is not None:
        fits = limit_run(
            chosen,
            collection,
            Path(out),
            minutes=minutes,
            began=began,
            cache=cache,
            device=device,
            listener=listener,
        )
        chosen = fits.apply(chosen)
    record, _ = fit_run(
        chosen,
        collection,
        Path(out),
        cache=cache,
        device=device,
        limit=None if fits is None else fits.to_json(),
        listener=listener,
    )
    return record


def evaluate(
    run: str | Path,
    data: str | Path | Collection,
    *,
    split: str | None = None,
    limit: int | None = None,
    device: str = "auto",
    cache: Path | None = None,
    listener: Listener = silent,
) -> Evaluation:
    """Score a split of a data set with a finished run; the figures are those of the run's task.

    Args:
        split: None = the one that `fit` and `compare` report: test if there is one, else val
    """
    cache = cache or cache_root()
    loaded = load_run(run, device=device)
    collection = verify(open_data(data, limit=limit), cache=cache, listener=listener)
    return evaluate_run(loaded, collection, split=split, cache=cache, listener=listener)


def compare(
    data: str | Path | Collection,
    out: str | Path,
    *,
    fusions: Sequence[str],
    seeds: int | Sequence[int] = 3,
    epochs: int | None = None,
    recipe_or_name: Recipe | str | Path | None = None,
    tokens: str | None = None,
    pairing: str | None = None,
    match_budget: str | None = None,
    minutes: float | None = None,
    jobs: int = 1,
    device: str = "auto",
    listener: Listener = silent,
) -> Comparison:
    """Compare fusions under an equal budget; write results.json, gallery.json and report.html into `out`.

    Tokens of frozen encoders are kept in the cache of this user (PLAIT_CACHE names another folder).

    Args:
        data:    to compare on a part of it, `open_data(data, limit=...)`
        fusions: names from `plait list fusions`, a family ("ladder" for all of it), or labels of the recipe's variants
        seeds:   how many (0, 1, ...), or which
        epochs:  in place of the recipe's
        tokens, pairing: as in `fit`, for all of these fusions
        match_budget: "params" or "time": as many trainable parameters, or as much training time, as the first fusion
        minutes: train as many epochs as fit into this time, encoding and evaluation included, the same for all runs
        jobs:    how many runs train side by side, each in a process of its own with its part of the threads; a script
            uses several below `if __name__ == "__main__":`
        device:  "auto", "cpu", "cuda" or "mps"
    Raises:
        PlaitError: see the parts. The same call goes on where a stopped one was; more fusions or seeds may be
            requested.
    """
    out, cache, began = Path(out), cache_root(), time.monotonic()
    check_minutes(minutes, match_budget or "")
    collection = open_data(data)
    chosen = overridden(recipe_for(recipe_or_name, collection), tokens, None)
    names = expand_fusions(list(fusions), chosen.variants)
    if not names:
        raise ConfigError("expected at least one fusion; `plait list fusions` shows them")
    numbers = list(range(seeds)) if isinstance(seeds, int) else list(dict.fromkeys(seeds))
    if not numbers or min(numbers) < 0:
        raise ConfigError(f"expected at least one seed, none below 0, got {seeds}")
    collection = verify(collection, cache=cache, listener=listener)
    if epochs is not None:
        chosen = replace(chosen, train=replace(chosen.train, epochs=epochs))
    options = {"epochs": epochs, "tokens": tokens, "pairing": pairing, "match": match_budget, "minutes": minutes}
    options["jobs"] = jobs if jobs > 1 else None
    plan = Plan(
        chosen,
        names,
        numbers,
        command=_command_line(data, names, numbers, out=out, options=options),
        pairing=pairing or "",
        match=match_budget or "",
        jobs=jobs,
        device=device,
        minutes=minutes,
        began=began,
    )
    comparison = compare_fusions(plan, collection, out, cache=cache, listener=listener)
    report(out)
    return comparison


def requested_by(found: Comparison, command: str) -> Comparison:
    """Let results.json and the report name the very command line that was typed, not one made up from options."""
    results = {**found.results, "command": command}
    write_json(found.folder / "results.json", parted(results))
    report(found.folder)
    return replace(found, results=results)


def audit(
    run: str | Path | None = None,
    *,
    fusion: str | None = None,
    tokens: str | None = None,
    pairing: str | None = None,
    data: str | Path | Collection | None = None,
    split: str = "val",
    limit: int | None = None,
    seeds: int = 20,
    device: str = "auto",
    cache: Path | None = None,
    listener: Listener = silent,
) -> Audit:
    """Ask a fusion by name, or a finished run, whether it learned, and from what; see `plait.audit`.

    By name it takes seconds: random weights on noise. A run is audited so too and, given data, its trained model on a
    split with captions or images shuffled or removed, beside baselines and images shared with training.

    Args:
        tokens, pairing: how the named fusion is used; None = "tokens" and its own default. A run has its own
        seeds: sets of random weights and noise
    Raises:
        ConfigError: neither a run nor a fusion, or both; options that do not fit; a pairing that the fusion lacks.
    """
    if (run is None) == (fusion is None):
        raise ConfigError("audit: expected a run's folder or a fusion's name, one of the two")
    if fusion is not None:
        if data is not None:
            raise ConfigError("audit: a fusion by name is audited on noise; data belongs to a trained run")
        return _audit_fusion(fusion, tokens, pairing, seeds)
    if tokens is not None or pairing is not None:
        raise ConfigError("audit: a run has its own tokens and pairing; leave those options out")
    cache = cache or cache_root()
    loaded = load_run(run or "", device=device)
    collection = None if data is None else verify(open_data(data, limit=limit), cache=cache, listener=listener)
    return audit_run(loaded, collection, split=split, cache=cache, seeds=seeds, listener=listener)


def report(out: str | Path) -> Path:
    """Write `out`/report.html again from results.json and gallery.json, and give its path.

    Raises:
        CheckpointError: `out` holds no results.json.
    """
    return report_comparison(Path(out))


def _audit_fusion(name: str, tokens: str | None, pairing: str | None, seeds: int) -> Audit:
    named = completed(overridden(Recipe(fusion=FusionSettings(name=name)), tokens, pairing))
    found = find_task(named.task).load_work().audit_recipe(named, seeds=seeds)
    if found is None:
        raise ConfigError(f"audit: task {named.task!r} has no audit by a fusion's name; audit a run with its data")
    return found


def _command_line(
    data: str | Path | Collection,
    fusions: Sequence[str],
    seeds: Sequence[int],
    *,
    out: Path,
    options: Mapping[str, object],
) -> str:
    """Give the command line of a comparison; options that are None are left out."""
    where = data.origin if isinstance(data, Collection) else str(data)
    counted = list(seeds) == list(range(len(seeds)))
    number = str(len(seeds)) if counted else ",".join(map(str, seeds))
    words = ["plait", "compare", "--data", where, "--fusions", ",".join(fusions), "--seeds", number]
    for name, value in options.items():
        words += [f"--{name}", str(value)] if value is not None else []
    return shlex.join([*words, "--out", str(out)])
