"""A comparison's runs asked small questions: batches of held-out pairs, and each photo's own caption among five.

These are the two tables of the ladder's chapter, asked of many photos: loss, accuracy and separation within batches of
24 held-out pairs, and the five-caption probe. Every run answers the same questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from plait.core.errors import ConfigError, InputError
from plait.core.types import Tokens
from plait.data.collection import Collection
from plait.metrics.probe import batch_figures, choose, printed_accuracy, printed_probe
from plait.metrics.statistics import bootstrap_interval
from plait.nn.precision import autocast_context, resolve_precision
from plait.predict.loaded import Model
from plait.runs.run import Run, load_run, open_feed
from plait.tasks.match.score import Scorer
from plait.train.events import Event, Listener, silent
from plait.train.feed import Feed

__all__ = ["BATCH", "CHOICES", "probe_comparison", "probe_photo"]

BATCH = 24
CHOICES = 5
# The questions are the same for every run, whatever its seed.
QUESTIONS_SEED = 0
FIGURES = ("accuracy", "loss", "separation", "five_accuracy", "five_margin")
BOUNDS = {"accuracy": (0.0, 100.0), "five_accuracy": (0.0, 100.0)}


@dataclass(frozen=True)
class _Answers:
    """What one run answered: figure -> one value a photo asked, and the printed accuracy for the record."""

    by_photo: dict[str, np.ndarray]
    printed_accuracy: float


def probe_comparison(
    out: Path,
    results: dict[str, Any],
    collection: Collection,
    *,
    split: str,
    cache: Path,
    listener: Listener = silent,
) -> dict[str, Any]:
    """Ask every finished run of a comparison the same questions about a split.

    Returns: {"split", "photos", "batch", "choices", "chance": {...}, "rows": [one a fusion]}; a row holds fusion,
        tokens, pairing, flags, seeds, train_loss, train_s, each figure as {"mean", "low", "high"} (95 %, photos and
        seeds resampled), printed_accuracy, rank (by five_accuracy) and trained_well: the interval of five_accuracy lies
        above chance.
    Raises:
        ConfigError: the comparison is of another task than matching.
        InputError: the split holds fewer than 24 photos with captions, or no run is finished.
    """
    _check_task(out, results)
    photos, captions = _questions(collection, split)
    finished = [row for row in results["rows"] if row["status"] != "failed"]
    if not finished:
        raise InputError(f"{out}: no run is finished, so there is nothing to ask; `plait compare` makes runs")
    answers: dict[str, list[tuple[dict[str, Any], _Answers]]] = {}
    for done, row in enumerate(finished):
        listener(Event("step", "asking runs", done + 1, len(finished)))
        run = load_run(out / row["run"])
        answers.setdefault(row["fusion"], []).append((row, _ask(run, collection, photos, captions, cache, listener)))
    rows = [_row(given) for given in answers.values()]
    rows.sort(key=lambda row: -row["five_accuracy"]["mean"])
    for rank, row in enumerate(rows):
        row["rank"] = rank + 1
    return {
        "split": split,
        "photos": len(photos),
        "batch": BATCH,
        "choices": CHOICES,
        "chance": {"accuracy": 100 / BATCH, "loss": float(np.log(BATCH)), "five_accuracy": 100 / CHOICES},
        "rows": rows,
    }


@torch.no_grad()
def probe_photo(
    out: Path, results: dict[str, Any], photo: Path, captions: Sequence[str], *, right: int
) -> list[dict[str, Any]]:
    """Ask every finished run about one photo, as the chapter prints it: the same scores a trained model gives in use.

    With pairing "matched" photo and caption are fused first, and a score is the cosine of the pair's two sides.

    Returns: one row a run: fusion, tokens, pairing, flags, seed, and what `printed_probe` says.
    Raises:
        InputError: fewer than two captions, or `right` (counted from 0) is none of them.
    """
    _check_task(out, results)
    if len(captions) < 2 or not 0 <= right < len(captions):
        raise InputError(
            f"expected two captions or more and the right one among them, got {len(captions)}, {right + 1}"
        )
    rows = []
    for row in results["rows"]:
        if row["status"] == "failed":
            continue
        model = Model.open(out / row["run"])
        built = model.run.built
        scorer = Scorer(built.model, built.objective, rerank_k=model.recipe.fusion.rerank_k)
        image, text = model.encode_images([photo]), model.encode_texts(captions)
        if built.pairing == "matched":
            again = image.take(torch.zeros(len(captions), dtype=torch.int64))
            scores = (scorer.scale() * built.model.score_matched(text, again)).diagonal()
        else:
            scores = _log_odds(scorer, text, image)[0]
        kept = {key: row[key] for key in ("fusion", "tokens", "pairing", "flags", "seed")}
        rows.append({**kept, **printed_probe(scores.float().numpy(), right)})
    return rows


def _check_task(out: Path, results: dict[str, Any]) -> None:
    if results.get("task", "match") != "match":
        raise ConfigError(f"{out}: a comparison of task {results['task']!r}; the probe asks runs that match captions")


def _questions(collection: Collection, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Give the split's photos in a fixed random order, whole batches of them, and the first caption of each."""
    first: dict[int, int] = {}
    for caption in collection.captions_of(split):
        first.setdefault(collection.captions[caption].image, caption)
    photos = np.random.default_rng(QUESTIONS_SEED).permutation(np.array(sorted(first), dtype=np.int64))
    photos = photos[: len(photos) // BATCH * BATCH]
    if not len(photos):
        raise InputError(
            f"data {collection.name!r}: split {split!r} holds {len(first)} photo(s) with captions; the probe asks "
            f"batches of {BATCH}"
        )
    return photos, np.array([first[int(photo)] for photo in photos], dtype=np.int64)


def _ask(
    run: Run, collection: Collection, photos: np.ndarray, captions: np.ndarray, cache: Path, listener: Listener
) -> _Answers:
    recipe = replace(run.recipe, image=replace(run.recipe.image, views=("full",)))
    feed: Feed = open_feed(run.built, recipe, collection, cache=cache, listener=listener)
    scorer = Scorer(run.built.model, run.built.objective, rerank_k=recipe.fusion.rerank_k)
    random = np.random.default_rng(QUESTIONS_SEED)
    found: dict[str, list[np.ndarray]] = {name: [] for name in FIGURES}
    matrices = []
    with autocast_context(resolve_precision(recipe.train.precision)), torch.no_grad():
        text, image = feed.encode_texts(captions), feed.encode_photos(photos)
        for rows in torch.arange(len(photos)).split(BATCH):
            scores = _log_odds(scorer, text.take(rows), image.take(rows)).double().numpy()
            matrices.append(scores)
            figures = batch_figures(scores)
            choice = choose(np.take_along_axis(scores, _own_and_others(random), 1))
            for name in ("accuracy", "loss", "separation"):
                found[name].append(getattr(figures, name))
            found["five_accuracy"].append(choice.accuracy)
            found["five_margin"].append(choice.margin)
    return _Answers({name: np.concatenate(v) for name, v in found.items()}, printed_accuracy(matrices))


def _log_odds(scorer: Scorer, text: Tokens, image: Tokens) -> Tensor:
    """Score a batch of pairs among themselves, in nats: (N, N), row = image."""
    if scorer.model.pairing == "matched":
        return scorer.scale() * scorer.model.score_matched(text, image)
    scores, kind = scorer.matrix(text, image)
    return scores if kind == "log-odds" else scorer.scale() * scores


def _own_and_others(random: np.random.Generator) -> np.ndarray:
    """Give for each of a batch's photos its own column and four others': (24, 5)."""
    return np.stack(
        [np.r_[own, random.permutation(np.delete(np.arange(BATCH), own))[: CHOICES - 1]] for own in range(BATCH)]
    )


def _row(given: Sequence[tuple[dict[str, Any], _Answers]]) -> dict[str, Any]:
    rows = [row for row, _ in given]
    entry: dict[str, Any] = {key: rows[0][key] for key in ("fusion", "tokens", "pairing")}
    entry["flags"] = sorted({flag for row in rows for flag in row["flags"]})
    entry["seeds"] = len(rows)
    entry["train_loss"] = float(np.mean([row["curve"][-1]["loss"] for row in rows]))
    entry["train_s"] = float(np.mean([row["train_s"] for row in rows]))
    for name in FIGURES:
        values = np.stack([answers.by_photo[name] for _, answers in given])
        found = bootstrap_interval(values, bounds=BOUNDS.get(name))
        entry[name] = {"mean": found.mean, "low": found.low, "high": found.high}
    entry["printed_accuracy"] = float(np.mean([answers.printed_accuracy for _, answers in given]))
    entry["trained_well"] = entry["five_accuracy"]["low"] > 100 / CHOICES
    return entry
