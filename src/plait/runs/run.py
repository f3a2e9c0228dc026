"""One run: a recipe fitted on a collection, evaluated, and written to a folder another process can load.

A run's folder holds `run.json` (recipe, data, encoders, versions, figures), `weights.safetensors` (what was trained),
`vocabulary.json` (from-scratch words), `gallery.json` (sample answers), `by_photo.safetensors` (what each photo adds to
each metric, for paired tests) and `events.jsonl`. While it trains there is also `state.safetensors`.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from plait.audit.by_name import audit_fusion, with_data
from plait.audit.record import Audit
from plait.build import Built, build, needs_words, tokens_seen
from plait.core.config import Recipe, recipe_from_dict, recipe_to_dict
from plait.core.errors import CheckpointError, ConfigError
from plait.core.files import read_json, write_json
from plait.data.collection import Collection, keep_photos
from plait.data.text import WordInput
from plait.nn.precision import resolve_precision
from plait.tasks.match.audit import audit_after, audit_before, audit_split, photos_shared
from plait.train.checkpoint import load_into, read_tensors, write_tensors
from plait.tasks.match.evaluate import Evaluation, evaluate_split, split_for_results
from plait.tasks.mask.evaluate import MaskEvaluation, check_masks, evaluate_masks
from plait.train.events import Event, Listener, jsonl_log, silent
from plait.train.features import prepare
from plait.train.feed import Feed
from plait.train.fit import FitResult, Trainer
from plait.tasks.match.gallery import show_run
from plait.tasks.mask.gallery import show_masks

__all__ = ["Run", "audit_run", "evaluate_run", "finished_record", "fit_run", "load_run", "make_words", "open_feed"]

AnyEvaluation = Evaluation | MaskEvaluation

CURVE_PHOTOS = 100
WORDS_FILE = "vocabulary.json"


@dataclass(frozen=True)
class Run:
    """A finished run, loaded.

    Fields:
        folder: where it lies
        record: what `run.json` says
        recipe: the recipe it was trained with
        built:  model and objective with their trained weights, in eval mode
    """

    folder: Path
    record: dict[str, Any]
    recipe: Recipe
    built: Built


def fit_run(
    recipe: Recipe,
    collection: Collection,
    folder: Path,
    *,
    cache: Path,
    steps: int | None = None,
    label: str = "",
    jobs: int = 1,
    listener: Listener = silent,
) -> tuple[dict[str, Any], AnyEvaluation | None]:
    """Train, evaluate and save one run; or, if the folder holds this very run finished, give its record.

    Args:
        steps: optimiser steps, in place of the recipe's epochs
        label: what progress calls it; "" = the fusion's name
        jobs:  how many runs train side by side, this one among them; the record says so beside its times
    Returns: the record (`run.json`) and, if the run was made now, its evaluation.
    Raises:
        ConfigError: the folder holds another run.
        TrainingError, StorageError, InputError: see the parts; what was computed stays, and the same command goes on.
    """
    recipe = replace(recipe, train=replace(recipe.train, precision=resolve_precision(recipe.train.precision)))
    record = finished_record(folder)
    plan: dict[str, Any] = {"recipe": recipe_to_dict(recipe), "data": collection.fingerprint}
    plan |= {} if steps is None else {"steps": steps}
    _claim(folder, plan)
    if record is not None:
        return record, None
    listener = jsonl_log(folder / "events.jsonl", listener)
    what = f"{label or recipe.fusion.name}, seed {recipe.train.seed}"
    is_mask = recipe.task == "mask"
    if is_mask:
        check_masks(collection)
    before = None if is_mask else audit_before(recipe)  # it asks whether pairs are found in noise
    built = build(recipe, _words(recipe, collection, folder))
    feed = open_feed(built, recipe, collection, cache=cache, listener=listener)
    split = split_for_results(dict(collection.splits))
    trainer = Trainer(built.model, built.objective, feed=feed, settings=recipe.train, folder=folder, steps=steps)
    result = trainer.run(what=what, listener=listener, check=partial(_check, built, feed, recipe))
    evaluation = _evaluate(built, feed, recipe, split=split, what=what, listener=listener)
    audit = None if before is None else audit_after(before, built, feed, recipe, split=split)
    record = _record(recipe, collection, built, result, evaluation, audit)
    record |= {"jobs": jobs, "threads": torch.get_num_threads()}  # of this sitting; times depend on both
    tensors = {f"model.{k}": v.clone() for k, v in built.model.state_dict().items()}
    tensors |= {f"objective.{k}": v.clone() for k, v in built.objective.state_dict().items()}
    write_tensors(folder / "weights.safetensors", tensors, {"recipe": plan["recipe"]})
    _write_by_photo(folder, evaluation)
    write_json(folder / "gallery.json", _gallery(built, feed, recipe, evaluation))
    write_json(folder / "run.json", record)
    trainer.forget()
    listener(Event("evaluate", what, 1, 1, evaluation.metrics))
    return record, evaluation


def make_words(recipe: Recipe, collection: Collection) -> WordInput | None:
    """Build the vocabulary from the training captions alone, where the recipe's text encoder learns its words."""
    if not needs_words(recipe):
        return None
    return WordInput.from_texts(
        (collection.captions[i].text for i in collection.captions_of("train")),
        min_count=recipe.text.min_count,
        max_tokens=recipe.text.max_tokens,
        tokeniser=recipe.text.tokeniser,
    )


def open_feed(
    built: Built, recipe: Recipe, collection: Collection, *, cache: Path, listener: Listener = silent
) -> Feed:
    """Give batches of a collection for a model: encode what is frozen, or open it from the cache."""
    features = prepare(
        built.model,
        collection,
        views=recipe.image.views,
        precision=resolve_precision(recipe.train.precision),
        root=cache,
        listener=listener,
    )
    return Feed(collection, built.model, features, views=recipe.image.views)


def finished_record(folder: Path) -> dict[str, Any] | None:
    """Give a finished run's record, or None while there is none."""
    path = folder / "run.json"
    if not path.exists():
        return None
    record: dict[str, Any] = read_json(path)
    return record


def load_run(folder: Path) -> Run:
    """Load a finished run.

    Raises:
        CheckpointError: there is none, it is damaged, it belongs to another model, or the frozen encoders on this
            machine are not the ones it was trained with.
    """
    record = finished_record(folder)
    if record is None:
        raise CheckpointError(f"{folder}: holds no finished run (no run.json); `plait fit --out {folder}` makes one")
    try:
        recipe = recipe_from_dict(record["recipe"], where=f"{folder / 'run.json'}")
        identities = {side: record["encoders"][side] for side in ("text", "image")}
    except (KeyError, TypeError) as error:
        raise CheckpointError(
            f"{folder / 'run.json'}: expected a run's record, but {error!r}; the file is damaged, fit the run again"
        ) from None
    built = build(recipe, WordInput.load(folder / WORDS_FILE) if needs_words(recipe) else None)
    tensors, _ = read_tensors(folder / "weights.safetensors")
    where = str(folder / "weights.safetensors")
    for prefix, module in (("model.", built.model), ("objective.", built.objective)):
        own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        load_into(module, own, where=where)
        module.eval()
    for side, then in identities.items():
        here = getattr(built.model, side).identity
        if here != then:
            raise CheckpointError(
                f"{folder}: its {side} encoder was {then!r}, this machine has {here!r}; install the same weights, or "
                "fit the run again"
            )
    return Run(folder, record, recipe, built)


def evaluate_run(
    run: Run, collection: Collection, *, split: str, cache: Path, listener: Listener = silent
) -> AnyEvaluation:
    """Score a split of a collection with a finished run; masks at the threshold that the run's record holds.

    Raises:
        ConfigError: no such split.
    """
    _check_split(collection, split)
    known = run.record["mask"] if run.recipe.task == "mask" else None
    if known is not None:
        check_masks(collection)
    recipe = replace(run.recipe, image=replace(run.recipe.image, views=("full",)))
    collection = keep_photos(collection, collection.splits[split])  # nothing else is encoded
    feed = open_feed(run.built, recipe, collection, cache=cache, listener=listener)
    return _evaluate(run.built, feed, recipe, split=split, what=run.folder.name, listener=listener, known=known)


def audit_run(
    run: Run, collection: Collection, *, split: str, cache: Path, seeds: int = 20, listener: Listener = silent
) -> Audit:
    """Audit a finished run: its fusion on noise, and its trained model on a split of a collection.

    Raises:
        ConfigError: no such split.
    """
    _check_split(collection, split)
    if run.recipe.task == "mask":
        raise ConfigError(
            f"{run.folder}: a run of task 'mask' is not audited for matching; `plait evaluate` removes and swaps its "
            "text and photos, and flags a run that ignores the text"
        )
    audit = audit_fusion(run.recipe.fusion, run.recipe.objective, seeds=seeds)
    recipe = replace(run.recipe, image=replace(run.recipe.image, views=("full",)))
    feed = open_feed(
        run.built, recipe, keep_photos(collection, collection.splits[split]), cache=cache, listener=listener
    )
    data = audit_split(run.built, feed, recipe, split=split, whole_split=True)
    return with_data(audit, replace(data, overlap=photos_shared(collection, split, looks=True)))


def _check_split(collection: Collection, split: str) -> None:
    if split not in collection.splits:
        raise ConfigError(f"data {collection.name!r} has no split {split!r}; it has: {', '.join(collection.splits)}")


def _evaluate(
    built: Built,
    feed: Feed,
    recipe: Recipe,
    *,
    split: str,
    what: str,
    listener: Listener,
    limit: int | None = None,
    known: dict[str, Any] | None = None,
) -> AnyEvaluation:
    precision = resolve_precision(recipe.train.precision)

    def progress(done: int, total: int) -> None:
        listener(Event("step", f"{what}: scoring {split}", done, total))

    if recipe.task == "mask":
        return evaluate_masks(
            built.model, feed, split=split, precision=precision, limit=limit, known=known, progress=progress
        )
    return evaluate_split(
        built.model,
        built.objective,
        feed,
        split=split,
        rerank_k=recipe.fusion.rerank_k,
        precision=precision,
        limit=limit,
        progress=progress,
    )


def _check(built: Built, feed: Feed, recipe: Recipe) -> dict[str, float]:
    """Measure the curve's point: a part of the val split. No epoch is chosen by it; the last one counts."""
    splits = feed.collection.splits
    if len(splits.get("val", ())) < 2:
        return {}
    found = _evaluate(built, feed, recipe, split="val", what="curve", listener=silent, limit=CURVE_PHOTOS)
    return {name: found.metrics[name] for name in (("miou",) if recipe.task == "mask" else ("t2i_r1", "i2t_r1"))}


def _gallery(built: Built, feed: Feed, recipe: Recipe, evaluation: AnyEvaluation) -> dict[str, Any]:
    if isinstance(evaluation, MaskEvaluation):
        return show_masks(built.model, feed, evaluation, fusion=recipe.fusion.name)
    return show_run(built.model, feed, evaluation, fusion=recipe.fusion.name)


def _words(recipe: Recipe, collection: Collection, folder: Path) -> WordInput | None:
    """Build the vocabulary and keep it with the run."""
    words = make_words(recipe, collection)
    if words is not None:
        write_json(folder / WORDS_FILE, words.to_json())
    return words


def _claim(folder: Path, plan: dict[str, Any]) -> None:
    """Mark the folder as this run's; refuse to go on in another run's folder."""
    path = folder / "plan.json"
    if path.exists():
        then = read_json(path)
        # What recipes did not hold when the plan was written has its default.
        with suppress(ConfigError):
            then["recipe"] = recipe_to_dict(recipe_from_dict(then["recipe"]))
        if then != plan:
            different = _first_difference(then, plan)
            raise ConfigError(
                f"{folder} holds another run: {different}; choose another --out, or delete that folder to start anew"
            )
        return
    write_json(path, plan)


def _first_difference(then: Any, now: Any, key: str = "") -> str:
    if isinstance(then, dict) and isinstance(now, dict):
        for name in sorted(then.keys() | now.keys()):
            if then.get(name) != now.get(name):
                return _first_difference(then.get(name), now.get(name), f"{key}.{name}" if key else name)
    return f"{key} was {then!r}, is {now!r}"


def _write_by_photo(folder: Path, evaluation: AnyEvaluation) -> None:
    tensors: dict[str, Tensor] = {k: torch.from_numpy(np.asarray(v)) for k, v in evaluation.by_photo.items()}
    for kind in ("counts", "ranks", "rank_photo"):
        values = getattr(evaluation, kind)
        tensors |= {f"{kind}.{k}": torch.from_numpy(np.asarray(v)) for k, v in values.items()}
    write_tensors(folder / "by_photo.safetensors", tensors, {"split": evaluation.split})


def _record(
    recipe: Recipe,
    collection: Collection,
    built: Built,
    result: FitResult,
    evaluation: AnyEvaluation,
    audit: Audit | None,
) -> dict[str, Any]:
    found: dict[str, Any] = {} if audit is None else {"audit": audit.to_json()}
    if isinstance(evaluation, MaskEvaluation):
        found["mask"] = evaluation.details
    audit_flags = () if audit is None else audit.flags
    trained = [p for p in (*built.model.parameters(), *built.objective.parameters()) if p.requires_grad]
    return {
        "plait": version("plait"),
        "torch": torch.__version__,
        "recipe": recipe_to_dict(recipe),
        "pairing": built.pairing,
        "tokens": tokens_seen(recipe.fusion, recipe.task),
        "encoders": {"text": built.model.text.identity, "image": built.model.image.identity},
        "data": {
            "name": collection.name,
            "fingerprint": collection.fingerprint,
            "split": evaluation.split,
            "photos": len(evaluation.photos),
            "captions": len(evaluation.captions),
            "skipped": collection.facts()["skipped"],
        },
        "metrics": evaluation.metrics,
        "score_kind": evaluation.score_kind,
        "flags": list(dict.fromkeys((*evaluation.flags, *audit_flags))),
        **found,
        "params": sum(p.numel() for p in trained),
        "steps": result.steps,
        "step_ms": result.step_ms,
        "train_s": result.train_s,
        "eval_s": evaluation.eval_s,
        "peak_mb": result.peak_mb,
        "curve": result.curve,
    }
