"""The verbs that train and judge: fit, evaluate, compare, audit, report."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from plait.api.data import open_data, token_cache, verify
from plait.api.earlier import takes_data_first
from plait.api.progress import listening
from plait.api.use import DEFAULT_MODEL, load_run
from plait.audit.record import Audit
from plait.build import expand_fusions
from plait.compare.comparison import Comparison
from plait.compare.plan import Plan, compare_fusions
from plait.compare.results import report_comparison
from plait.core.config import FusionSettings, Recipe
from plait.core.errors import ConfigError, shown
from plait.core.evaluation import Evaluation
from plait.core.files import write_json
from plait.core.made import parted
from plait.core.recipe.ranges import MOST_SEEDS, Range, checked_number
from plait.core.recipe.variants import overridden
from plait.data.collection import Collection
from plait.data.given import as_path, fusion_names, seed_list
from plait.listing import fitting_recipe, read_named
from plait.runs.assemble import completed
from plait.runs.fit import fit_run
from plait.runs.kinds import output_folder
from plait.runs.open import audit_run, evaluate_run, open_run
from plait.runs.time_limit import check_minutes, limit_run
from plait.tasks import find_task
from plait.train.events import Listener
from plait.train.hardware import choose_hardware
from plait.trained import Run

__all__ = ["audit", "compare", "evaluate", "fit", "recipe", "recipe_for", "report", "requested_by"]


def recipe(name: str | Path) -> Recipe:
    """Read a recipe by its name in the package (`plait list recipes`) or from a TOML file.

    Raises:
        ConfigError: neither; or the file is wrong (see `plait.core.config`).
    """
    return read_named(as_path(name, "recipe"))


def recipe_for(given: Recipe | str | Path | None, collection: Collection) -> Recipe:
    """Give the recipe named, or the one that suits the data; see `plait.listing.fitting_recipe`."""
    if isinstance(given, Recipe):
        return given
    return read_named(fitting_recipe(collection) if given is None else as_path(given, "recipe"))


@takes_data_first('plait.fit(data, out, recipe="photos", fusion="cross", epochs=5, seed=0)')
def fit(
    data: str | Path | Collection,
    out: str | Path,
    *,
    recipe: Recipe | str | Path | None = None,
    fusion: str | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    tokens: str | None = None,
    pairing: str | None = None,
    limit: int | None = None,
    images: str | Path | None = None,
    minutes: float | None = None,
    device: str = "auto",
    devices: int = 1,
    cache: str | Path | None = None,
    listener: Listener | None = None,
    progress: bool | None = None,
) -> Run:
    """Train one fusion on a data set, evaluate it on the held-out images, and save it in `out`.

    Args:
        recipe:   a `Recipe`, the name of one (`plait list recipes`) or a .toml file; None = the one that suits the data
        fusion:   a name from `plait list fusions` or the label of one of the recipe's variants, in place of the
                  recipe's
        epochs, seed: in place of the recipe's
        tokens:   "tokens" or "pooled", in place of the recipe's
        pairing:  "all", "itm", "rerank" or "matched" (leaky, for reproduction only), in place of the recipe's
        limit:    only the first so many images of each split
        images:   the images' folder, where it is not beside the data's file
        minutes:  train as many of the recipe's epochs as fit into this time, encoding and evaluation included
        device:   "auto", "cpu", "cuda" or "mps"; `devices` is how many of them (see `plait.train.hardware`)
        cache:    where tokens of frozen encoders are kept; None = the cache of this user
        listener: a function that is given each `plait.train.events.Event`
        progress: True = bars, False = none; None = bars unless there is a listener
    Returns: the run: metrics, flags, `record` (what `run.json` holds), and `model()`, ready for use.
    Raises:
        PlaitError: see the parts. The same call goes on where a stopped one was.
    """
    began = time.monotonic()
    folder = output_folder(out, "run")
    choose_hardware(device, devices=devices)
    check_minutes(minutes)
    collection = open_data(data, limit=limit, images=images)
    base = recipe_for(recipe, collection)
    options = {"tokens": tokens, "pairing": pairing}
    chosen = overridden(base, fusion=_one_fusion(fusion, base), epochs=epochs, seed=seed, **options)
    find_task(chosen.task).load_work().use(completed(chosen))  # before every image is decoded
    place = token_cache(cache)
    with listening(listener, progress) as listen:
        collection = verify(collection, cache=place, listener=listen)
        limited = None
        if minutes is not None:
            limited = limit_run(
                chosen,
                collection,
                folder,
                minutes=minutes,
                began=began,
                cache=place,
                device=device,
                listener=listen,
            )
            chosen = limited.apply(chosen)
        record, _ = fit_run(
            chosen,
            collection,
            folder,
            cache=place,
            device=device,
            limit=None if limited is None else limited.to_json(),
            listener=listen,
        )
    run = open_run(folder, device=device)
    run.record = record
    return run


def evaluate(
    run: str | Path | Run,
    data: str | Path | Collection,
    *,
    split: str | None = None,
    limit: int | None = None,
    images: str | Path | None = None,
    device: str = "auto",
    cache: str | Path | None = None,
    listener: Listener | None = None,
    progress: bool | None = None,
) -> Evaluation:
    """Score a split of a data set with a finished run; the figures are those of the run's task.

    Args:
        split: None = the one that `fit` and `compare` report: test if there is one, else val
        run: a run's folder, "default" for the model in the package, or what `fit` gave
        limit, images, device, cache, listener, progress: as in `fit`
    """
    loaded, place = load_run(run, device=device), token_cache(cache)
    loaded.learner.eval()  # weights that cannot be used are said before every image is decoded
    collection = open_data(data, limit=limit, images=images)
    with listening(listener, progress) as listen:
        collection = verify(collection, cache=place, listener=listen)
        return evaluate_run(loaded, collection, split=split, cache=place, listener=listen)


@takes_data_first('plait.compare(data, out, fusions=["late", "cross"], seeds=3, epochs=5, recipe="photos")')
def compare(
    data: str | Path | Collection,
    out: str | Path,
    *,
    fusions: str | Iterable[str],
    seeds: int | Iterable[int] = 3,
    epochs: int | None = None,
    recipe: Recipe | str | Path | None = None,
    tokens: str | None = None,
    pairing: str | None = None,
    match_budget: str | None = None,
    minutes: float | None = None,
    jobs: int = 1,
    limit: int | None = None,
    images: str | Path | None = None,
    device: str = "auto",
    cache: str | Path | None = None,
    listener: Listener | None = None,
    progress: bool | None = None,
) -> Comparison:
    """Compare fusions under an equal budget; write results.json, gallery.json and report.html into `out`.

    Args:
        fusions: names from `plait list fusions`, a family ("ladder" for all of it), or labels of the recipe's variants:
            a list, or one string with commas
        seeds:   how many (0, 1, ...), or which
        recipe, epochs, tokens, pairing: as in `fit`, for all of these fusions
        match_budget: "params" or "time": as many trainable parameters, or as much training time, as the first fusion
        minutes: train as many epochs as fit into this time, encoding and evaluation included, the same for all runs
        jobs:    how many runs train side by side, each in a process of its own with its part of the threads; a script
            uses several below `if __name__ == "__main__":`
        limit, images, device, cache, listener, progress: as in `fit`
    Returns: rows, summary, tests and verdict, `results` (what results.json says), and the runs.
    Raises:
        PlaitError: see the parts. The same call goes on where a stopped one was; more fusions or seeds may be
            requested.
    """
    began = time.monotonic()
    check_minutes(minutes, match_budget or "")
    folder, place = output_folder(out, "comparison"), token_cache(cache)
    wanted, numbers = fusion_names(fusions), seed_list(seeds)
    jobs = checked_number(jobs, "jobs", Range(1, 1000))
    collection = open_data(data, limit=limit, images=images)
    chosen = overridden(recipe_for(recipe, collection), tokens=tokens, epochs=epochs)
    names = expand_fusions(wanted, chosen.variants)
    options: dict[str, object] = {"epochs": epochs, "tokens": tokens, "pairing": pairing, "match": match_budget}
    options |= {"minutes": minutes, "limit": limit, "images": images, "jobs": jobs if jobs > 1 else None}
    plan = Plan(
        chosen,
        names,
        numbers,
        command=_command_line(data, names, numbers, out=folder, options=options),
        pairing=_text_or_none(pairing, "pairing"),
        match=_text_or_none(match_budget, "match_budget"),
        jobs=jobs,
        device=device,
        minutes=minutes,
        began=began,
    )
    with listening(listener, progress) as listen:
        collection = verify(collection, cache=place, listener=listen)
        comparison = compare_fusions(plan, collection, folder, cache=place, listener=listen)
    report(folder)
    return comparison


def requested_by(found: Comparison, command: str) -> Comparison:
    """Let results.json and the report name the very command line that was typed, not one made up from options."""
    results = {**found.results, "command": command}
    write_json(found.folder / "results.json", parted(results))
    report(found.folder)
    return replace(found, results=results)


def audit(
    run: str | Path | Run | None = None,
    *,
    fusion: str | None = None,
    tokens: str | None = None,
    pairing: str | None = None,
    data: str | Path | Collection | None = None,
    split: str = "val",
    limit: int | None = None,
    images: str | Path | None = None,
    seeds: int = 20,
    device: str = "auto",
    cache: str | Path | None = None,
    listener: Listener | None = None,
    progress: bool | None = None,
) -> Audit:
    """Ask a fusion by name, or a finished run, whether it learned, and from what; see `plait.audit`.

    By name it takes seconds: random weights on noise. A run is audited so too and, given data, its trained model on a
    split with captions or images shuffled or removed, beside baselines and images shared with training.

    Args:
        tokens, pairing: how the named fusion is used; None = "tokens" and its own default. A run has its own
        seeds: sets of random weights and noise
        limit, images, device, cache, listener, progress: as in `fit`
    Raises:
        ConfigError: neither a run nor a fusion, or both; options that do not fit; a pairing that the fusion lacks.
    """
    if (run is None) == (fusion is None):
        raise ConfigError("audit: expected a run's folder or a fusion's name, one of the two")
    seeds = checked_number(seeds, "seeds", Range(1, MOST_SEEDS))
    if fusion is not None:
        if data is not None:
            raise ConfigError("audit: a fusion by name is audited on noise; data belongs to a trained run")
        return _audit_fusion(fusion, tokens, pairing, seeds)
    if tokens is not None or pairing is not None:
        raise ConfigError("audit: a run has its own tokens and pairing; leave those options out")
    loaded, place = load_run(DEFAULT_MODEL if run is None else run, device=device), token_cache(cache)
    loaded.learner.eval()
    with listening(listener, progress) as listen:
        collection = None
        if data is not None:
            collection = verify(open_data(data, limit=limit, images=images), cache=place, listener=listen)
        return audit_run(loaded, collection, split=split, cache=place, seeds=seeds, listener=listen)


def report(out: str | Path | Comparison) -> Path:
    """Write report.html again from results.json and gallery.json of a comparison, and give its path.

    Raises:
        CheckpointError: `out` holds no results.json, or one with figures that cannot be.
    """
    return report_comparison(out.folder if isinstance(out, Comparison) else as_path(out, "comparison"))


def _one_fusion(name: str | None, base: Recipe) -> str | None:
    """Check the name of the fusion to fit: one, not a family."""
    if name is None:
        return None
    found = expand_fusions(fusion_names(name), base.variants)
    if len(found) != 1:
        raise ConfigError(
            f"fusion {name!r}: fit trains one fusion, and these are {len(found)}: {', '.join(found[:4])}, ...; name "
            "one, or use compare for several"
        )
    return found[0]


def _text_or_none(value: str | None, name: str) -> str:
    """Read an option that is a text, "" where it is left out."""
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"{name}: expected a text, got {shown(value)}")
    return value or ""


def _audit_fusion(name: str, tokens: str | None, pairing: str | None, seeds: int) -> Audit:
    _text_or_none(name, "fusion")
    named = completed(overridden(Recipe(fusion=FusionSettings(name=name)), tokens=tokens, pairing=pairing))
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
