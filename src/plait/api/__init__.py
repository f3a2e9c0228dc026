"""The verbs. Each is one function; Python, the command line and the studio are doors to these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from plait.audit.by_name import audit_fusion
from plait.audit.record import Audit
from plait.build import expand_fusions
from plait.core.config import FusionSettings, Recipe, overridden
from plait.core.errors import CheckpointError, ConfigError
from plait.core.files import read_json, write_json
from plait.data.tokens.cache import cache_root, clear_stores
from plait.data.collection import Collection
from plait.data.describe import cache_facts, describe
from plait.doctor import check as doctor
from plait.doctor.fix import clean_data
from plait.data.open import open_collection
from plait.data.verify import verify_photos
from plait.listing import fitting_recipe, list_names, read_named
from plait.report.check import check_thumbnails, write_check
from plait.report.gallery import merge_galleries, merge_masks
from plait.report.page import write_report
from plait.compare.plan import Comparison, command_of, compare_fusions
from plait.tasks.match.evaluate import Evaluation
from plait.tasks.mask.evaluate import MaskEvaluation
from plait.train.events import Event, Listener, silent
from plait.runs.package import export_run
from plait.predict.loaded import MaskResult, MatchResult, Model
from plait.tasks.mask.files import write_mask
from plait.tasks.match.probe import probe_comparison, probe_photo
from plait.runs.run import audit_run, evaluate_run, fit_run, load_run

__all__ = [
    "asked_by",
    "audit",
    "check_data",
    "clear_cache",
    "compare",
    "describe",
    "evaluate",
    "export",
    "fit",
    "list_names",
    "load",
    "mask",
    "match",
    "open_data",
    "probe",
    "probe_one",
    "recipe",
    "recipe_for",
    "report",
    "show_cache",
    "silent",
    "verify",
]

DEFAULT_MODEL = "default"


def recipe(name: str | Path) -> Recipe:
    """Read a recipe by its name in the package (`plait list recipes`) or from a TOML file.

    Raises:
        ConfigError: neither; or the file is wrong (see `plait.core.config`).
    """
    return read_named(name)


def open_data(
    where: str | Path | Collection, *, limit: int | None = None, images: Path | None = None, seed: int = 0
) -> Collection:
    """Open a data set: a folder, a CSV/JSONL/JSON file, "hub:NAME" or "scenes[:COUNT]"; see `plait.data.open`.

    Args:
        limit:  only the first so many photos of each split
        images: the photos' folder, where the file does not lie beside it
        seed:   of the split, where the data brings none, and of `scenes`
    """
    if isinstance(where, Collection):
        return where if limit is None else where.limit(limit)
    return open_collection(where, images=images, limit=limit, seed=seed)


def fit(
    recipe_or_name: Recipe | str | Path | None,
    data: str | Path | Collection,
    out: str | Path,
    *,
    tokens: str | None = None,
    pairing: str | None = None,
    limit: int | None = None,
    cache: Path | None = None,
    listener: Listener = silent,
) -> dict[str, Any]:
    """Train one recipe on a data set, evaluate it on the held-out photos, and save it in `out`.

    Args:
        tokens:  "tokens" or "pooled", in place of the recipe's
        pairing: "all", "itm" or "matched" (leaky, for reproduction only), in place of the recipe's
    Returns: the run's record (what `run.json` holds): metrics, parameters, times, curve, versions.
    Raises:
        PlaitError: see the parts. The same call goes on where a stopped one was.
    """
    cache = cache or cache_root()
    collection = verify(open_data(data, limit=limit), cache=cache, listener=listener)
    chosen = overridden(recipe_for(recipe_or_name, collection), tokens, pairing)
    record, _ = fit_run(chosen, collection, Path(out), cache=cache, listener=listener)
    return record


def evaluate(
    run: str | Path,
    data: str | Path | Collection,
    *,
    split: str = "val",
    limit: int | None = None,
    cache: Path | None = None,
    listener: Listener = silent,
) -> Evaluation | MaskEvaluation:
    """Score a split of a data set with a finished run, in percent: recalls, or for a run of masks IoU and baselines."""
    cache = cache or cache_root()
    loaded = load_run(_run_folder(run))
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
    jobs: int = 1,
    cache: Path | None = None,
    listener: Listener = silent,
) -> Comparison:
    """Compare fusions under an equal budget; write results.json, gallery.json and report.html into `out`.

    Args:
        fusions: names from `plait list fusions`, a family ("ladder" for all of it), or labels of the recipe's variants
        seeds:   how many (0, 1, ...), or which
        epochs:  in place of the recipe's
        tokens, pairing: as in `fit`, for all of these fusions
        match_budget: "params" or "time": as many trainable parameters, or as much training time, as the first fusion
        jobs:    how many runs train side by side, each in a process of its own with its part of the threads; a script
            asks for several below `if __name__ == "__main__":`
        data:    to compare on a part of it, `open_data(data, limit=...)`
    Raises:
        PlaitError: see the parts. The same call goes on where a stopped one was; more fusions or seeds may
            be asked for.
    """
    out, cache = Path(out), cache or cache_root()
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
    options = {"epochs": epochs, "tokens": tokens, "pairing": pairing, "match": match_budget}
    options["jobs"] = jobs if jobs > 1 else None
    comparison = compare_fusions(
        chosen,
        collection,
        fusions=names,
        seeds=numbers,
        out=out,
        cache=cache,
        command=command_of(data, names, numbers, out=out, options=options),
        pairing=pairing or "",
        match=match_budget or "",
        jobs=jobs,
        listener=listener,
    )
    merge = merge_masks if chosen.task == "mask" else merge_galleries
    write_json(out / "gallery.json", merge(out, comparison.results, collection))
    report(out)
    return comparison


def asked_by(found: Comparison, command: str) -> Comparison:
    """Let results.json and the report say the very command line that asked, in place of one made up from options."""
    results = {**found.results, "command": command}
    write_json(found.folder / "results.json", results)
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
    cache: Path | None = None,
    listener: Listener = silent,
) -> Audit:
    """Ask a fusion by name, or a finished run, whether it learned, and from what; see `plait.audit`.

    By name it takes seconds: random weights on noise. A run is asked that too and, given data, what its trained model
    does on a split with captions or photos shuffled or removed, beside baselines and photos shared with training.

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
            raise ConfigError("audit: a fusion by name is asked about noise; data belongs to a trained run")
        recipe = overridden(Recipe(fusion=FusionSettings(name=fusion)), tokens, pairing)
        return audit_fusion(recipe.fusion, seeds=seeds)
    if tokens is not None or pairing is not None:
        raise ConfigError("audit: a run has its own tokens and pairing; leave those options out")
    loaded = load_run(_run_folder(run or ""))
    if data is None:
        return audit_fusion(loaded.recipe.fusion, loaded.recipe.objective, seeds=seeds)
    cache = cache or cache_root()
    collection = verify(open_data(data, limit=limit), cache=cache, listener=listener)
    return audit_run(loaded, collection, split=split, cache=cache, seeds=seeds, listener=listener)


def report(out: str | Path) -> Path:
    """Write `out`/report.html anew from results.json and gallery.json, and give its path.

    Raises:
        CheckpointError: `out` holds no results.json.
    """
    out = Path(out)
    gallery = out / "gallery.json"
    path = out / "report.html"
    write_report(read_json(out / "results.json"), read_json(gallery) if gallery.exists() else None, path)
    return path


def probe(
    out: str | Path,
    data: str | Path | Collection,
    *,
    split: str = "val",
    cache: Path | None = None,
    listener: Listener = silent,
) -> dict[str, Any]:
    """Ask all runs of a comparison the same small questions, and write them to `out`/probe.json.

    Batches of 24 held-out pairs among themselves, and each photo's own caption among five; see `plait.tasks.match.probe`.
    Raises:
        PlaitError: `out` holds no comparison, or the split is too small.
    """
    cache, out = cache or cache_root(), Path(out)
    results = read_json(out / "results.json")
    collection = verify(open_data(data), cache=cache, listener=listener)
    found = probe_comparison(out, results, collection, split=split, cache=cache, listener=listener)
    write_json(out / "probe.json", found)
    return found


def probe_one(out: str | Path, photo: str | Path, captions: Sequence[str], *, right: int = 0) -> list[dict[str, Any]]:
    """Ask all runs of a comparison which caption fits one photo: the printed form of the probe, which proves little."""
    return probe_photo(Path(out), read_json(Path(out) / "results.json"), Path(photo), captions, right=right)


def load(run: str | Path = DEFAULT_MODEL) -> Model:
    """Load a finished run, or the model shipped in the package ("default").

    Example:
        model = plait.load("default")
        model.match(["cat.jpg", "coffee.jpg"], ["a cat", "a cup of coffee"]).prob_text
    """
    return Model.open(_run_folder(run))


def export(run: str | Path, out: str | Path) -> dict[str, Any]:
    """Make a finished run small, to be shipped: float16 weights, its record and a model card, in `out`."""
    return export_run(_run_folder(run), Path(out))


def match(images: Sequence[str | Path], texts: Sequence[str], *, run: str | Path = DEFAULT_MODEL) -> MatchResult:
    """Score photos against sentences with a finished run; see `Model.match`."""
    return load(run).match(images, texts)


def mask(
    photo: str | Path,
    text: str,
    *,
    run: str | Path,
    out: str | Path | None = None,
    threshold: float | None = None,
) -> tuple[MaskResult, dict[str, Any]]:
    """Find the region of a photo that a phrase speaks of with a finished run of task "mask"; see `Model.mask`.

    Args:
        out: a folder for mask.png (white = meant), overlay.png and mask.json; None = nothing is written
    Returns: the mask, and what mask.json says: photo, text, size, area, threshold and the files written.
    """
    found = load(run).mask(photo, text, threshold=threshold)
    return found, write_mask(found, photo, text, run=str(run), out=None if out is None else Path(out))


def verify(collection: Collection, *, cache: Path | None = None, listener: Listener = silent) -> Collection:
    """Decode every photo; leave out, and list, those that cannot be read.

    `fit`, `evaluate` and `compare` do so first. The outcome is remembered in the cache by the photos' content.
    """
    return verify_photos(
        collection,
        root=cache or cache_root(),
        progress=lambda done, total: listener(Event("verify", "photos", done, total)),
    )


def check_data(
    data: str | Path,
    *,
    images: Path | None = None,
    fix: str | Path | None = None,
    out: str | Path | None = None,
    cache: Path | None = None,
    listener: Listener = silent,
) -> dict[str, Any]:
    """Look for what is wrong with a data set: damaged and double images, leaks between splits, captions, masks.

    Args:
        data:   a folder (captions, masks, questions or labels beside images/), a file of captions, "hub:NAME", "scenes"
        images: the images' folder, where it is not beside the captions
        fix:    write a cleaned list of captions and splits into this folder (see `plait.doctor.fix`)
        out:    write check.html and check.json into this folder
    Returns: see `plait.doctor.check.Checkup.to_json`; with `fix` also "fixed", with `out` also "page".
    Raises:
        InputError: there is nothing to check, or `fix` would write where the originals are.
        StorageError: a result cannot be written.
    """
    found = doctor.check_data(
        data,
        images=images,
        root=cache or cache_root(),
        progress=lambda what, done, total: listener(Event("verify", what, done, total)),
    )
    result = found.to_json()
    if fix is not None:
        result["fixed"] = clean_data(found, Path(fix))
    if out is not None:
        write_json(Path(out) / "check.json", result)
        thumbnails = check_thumbnails(result, found.material.photos)
        result["page"] = str(write_check(result, thumbnails, Path(out) / "check.html"))
    return result


def show_cache() -> dict[str, Any]:
    """List the cached tokens on this machine."""
    return cache_facts(cache_root())


def clear_cache(name: str | None = None) -> dict[str, Any]:
    """Remove cached tokens: all, or the entry of one name. They are made again when they are next needed."""
    root = cache_root()
    removed = clear_stores(root, everything=name is None, name=name or "")
    return {"root": str(root), "entries": len(removed), "bytes": sum(info.size_bytes for info in removed)}


def recipe_for(given: Recipe | str | Path | None, collection: Collection) -> Recipe:
    """Give the recipe asked for, or the one that suits the data; see `plait.listing.fitting_recipe`."""
    if isinstance(given, Recipe):
        return given
    return recipe(given if given is not None else fitting_recipe(collection))


def _run_folder(run: str | Path) -> Path:
    if str(run) == DEFAULT_MODEL and not Path(run).is_dir():
        return Path(str(files("plait") / DEFAULT_MODEL))
    folder = Path(run)
    if not folder.is_dir():
        raise CheckpointError(f'{folder}: no such folder; expected a finished run, or "default" for the shipped model')
    return folder
