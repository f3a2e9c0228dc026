"""Small tests of a comparison's runs: batches of held-out pairs, and each image's own caption among five.

These are the two tables of Park 2025 (Deep Learning DNA, section 10.4.4), measured on many images: loss, accuracy and
separation within batches of 24 held-out pairs, and the choice among five captions. Every run is given the same pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from plait.core.errors import ConfigError, InputError
from plait.core.files import write_json
from plait.core.recipe.ranges import Range, checked_number
from plait.data.collection import Collection
from plait.data.given import ImageInput, Texts, as_path, text_list
from plait.metrics.probe import batch_figures, choose, printed_accuracy, printed_probe
from plait.metrics.statistics import bootstrap_interval
from plait.tasks.match.evaluate import computing
from plait.tasks.match.learner import MatchLearner
from plait.tasks.match.predict import learner_of
from plait.train.events import Event, Listener, silent
from plait.train.feed import Feed
from plait.trained import Model, Run

__all__ = ["BATCH", "CHOICES", "Runs", "probe", "probe_comparison", "probe_photo"]

BATCH = 24
CHOICES = 5
# The pairs are the same for every run, whatever its seed.
PAIRS_SEED = 0
FIGURES = ("accuracy", "loss", "separation", "five_accuracy", "five_margin")
BOUNDS = {"accuracy": (0.0, 100.0), "five_accuracy": (0.0, 100.0)}


class Runs(Protocol):
    """What the probe needs of `plait.api`, which is handed down to it."""

    def read_results(self, out: Path) -> dict[str, Any]:
        """Give what results.json of a comparison says."""
        ...

    def open_data(self, where: str | Path | Collection, *, limit: int | None = None) -> Collection:
        """Open a data set."""
        ...

    def verify(self, collection: Collection, *, listener: Listener = silent) -> Collection:
        """Leave out images that cannot be read."""
        ...

    def load(self, run: Path) -> Model:
        """Load a run, ready for use."""
        ...

    def load_run(self, folder: Path) -> Run:
        """Load a finished run."""
        ...

    def open_feed(
        self, run: Run, collection: Collection, *, views: Sequence[str] = ("full",), listener: Listener = silent
    ) -> Feed:
        """Give batches and tokens of a collection for a run's model."""
        ...


@dataclass(frozen=True, eq=False)
class _Answers:
    """What one run scored: figure -> one value per image, and the accuracy by the printed formula for the record."""

    by_image: dict[str, np.ndarray]
    printed_accuracy: float


def probe(
    api: Runs,
    out: str | Path,
    *,
    data: str | Path | Collection | None = None,
    split: str = "val",
    limit: int | None = None,
    photo: ImageInput | None = None,
    captions: Texts | None = None,
    right: int = 1,
    listener: Listener = silent,
) -> Any:
    """Test a comparison's runs on batches of held-out pairs of some data, or let every run choose a photo's caption.

    Arguments:
        out:      the comparison's folder; with data, probe.json is written there
        data:     as in `fit`; split and limit say which of it
        photo:    an image, in place of data, with captions to choose from
        right:    which of the captions is right, counted from 1
        listener: a function that is given each event
    Returns: with data, what `probe_comparison` gives; with a photo, what `probe_photo` gives.
    Raises:
        ConfigError: neither data nor a photo with captions, or both; a comparison of another task.
        InputError: too few images or captions, or no run is finished.
    """
    if (photo is None) == (data is None) or (photo is None) != (captions is None):
        raise ConfigError("probe: expected either data, or photo with captions")
    folder = as_path(out, "comparison")
    results = api.read_results(folder)
    if photo is not None:
        place = checked_number(right, "right", Range(1, 10_000)) - 1
        return probe_photo(folder, results, photo, text_list(captions, "caption"), runs=api, right=place)
    collection = api.verify(api.open_data(data or "", limit=limit), listener=listener)
    found = probe_comparison(folder, results, collection, runs=api, split=split, listener=listener)
    write_json(folder / "probe.json", found)
    return found


def probe_comparison(
    out: Path,
    results: dict[str, Any],
    collection: Collection,
    *,
    runs: Runs,
    split: str,
    listener: Listener = silent,
) -> dict[str, Any]:
    """Give every finished run of a comparison the same pairs of a split to score.

    Arguments:
        out:     the comparison's folder
        results: what its results.json holds
        runs:    loads runs and opens feeds: the module `plait.api`
    Returns: {"split", "photos", "batch", "choices", "chance": {...}, "rows": [one per fusion]}; a row holds fusion,
        tokens, pairing, flags, seeds, train_loss, train_s, each figure as {"mean", "low", "high"} (95 %, images and
        seeds resampled), printed_accuracy, rank (by five_accuracy) and trained_well: the interval of five_accuracy lies
        above chance.
    Raises:
        ConfigError: the comparison is of another task than matching.
        InputError: the split holds fewer than 24 images with captions, or no run is finished.
    """
    _check_task(out, results)
    images, captions = _pairs(collection, split)
    finished = [row for row in results["rows"] if row["status"] != "failed"]
    if not finished:
        raise InputError(f"{out}: no run is finished, so there is nothing to probe; `plait compare` makes runs")
    answers: dict[str, list[tuple[dict[str, Any], _Answers]]] = {}
    for done, row in enumerate(finished):
        listener(Event("step", "probing runs", done + 1, len(finished)))
        run = runs.load_run(out / row["run"])
        feed = runs.open_feed(run, collection, views=("full",), listener=listener)
        found = _answers(learner_of(run), feed, images, captions, precision=run.recipe.train.precision)
        answers.setdefault(row["fusion"], []).append((row, found))
    rows = [_row(given) for given in answers.values()]
    rows.sort(key=lambda row: -row["five_accuracy"]["mean"])
    for rank, row in enumerate(rows):
        row["rank"] = rank + 1
    return {
        "split": split,
        "photos": len(images),
        "batch": BATCH,
        "choices": CHOICES,
        "chance": {"accuracy": 100 / BATCH, "loss": float(np.log(BATCH)), "five_accuracy": 100 / CHOICES},
        "rows": rows,
    }


@torch.no_grad()
def probe_photo(
    out: Path, results: dict[str, Any], photo: ImageInput, captions: Sequence[str], *, runs: Runs, right: int
) -> list[dict[str, Any]]:
    """Let every finished run choose among captions of one photo: the same scores that the run gives in use.

    With pairing "matched" photo and caption are fused first, and a score is the cosine of the pair's two sides.

    Arguments:
        right: the number of the right caption, counted from 0
        runs:  as in `probe_comparison`
    Returns: one row per run: fusion, tokens, pairing, flags, seed, and what `printed_probe` gives.
    Raises:
        InputError: fewer than two captions, or `right` is none of them.
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
        model = runs.load(out / row["run"])
        learner = learner_of(model.run)
        image, text = model.image_tokens([photo]), model.text_tokens(captions)
        with computing(learner, model.recipe.train.precision):
            scores = learner.pairing.choices(text, image)
        kept = {key: row[key] for key in ("fusion", "tokens", "pairing", "flags", "seed")}
        rows.append({**kept, **printed_probe(scores.numpy(force=True), right)})
    return rows


def _check_task(out: Path, results: dict[str, Any]) -> None:
    if results.get("task", "match") != "match":
        raise ConfigError(f"{out}: a comparison of task {results['task']!r}; the probe is for runs that match captions")


def _pairs(collection: Collection, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Give the split's images in a fixed random order, whole batches of them, and the first caption of each."""
    first: dict[int, int] = {}
    for caption in collection.captions_of(split):
        first.setdefault(collection.captions[caption].image, caption)
    images = np.random.default_rng(PAIRS_SEED).permutation(np.array(sorted(first), dtype=np.int64))
    images = images[: len(images) // BATCH * BATCH]
    if not len(images):
        raise InputError(
            f"data {collection.name!r}: split {split!r} holds {len(first)} photo(s) with captions; the probe takes "
            f"batches of {BATCH}"
        )
    return images, np.array([first[int(image)] for image in images], dtype=np.int64)


def _answers(
    learner: MatchLearner, feed: Feed, images: np.ndarray, captions: np.ndarray, *, precision: str
) -> _Answers:
    random = np.random.default_rng(PAIRS_SEED)
    found: dict[str, list[np.ndarray]] = {name: [] for name in FIGURES}
    matrices = []
    with computing(learner, precision), torch.no_grad():
        text, image = feed.encode_texts(captions), feed.encode_images(images)
        for rows in torch.arange(len(images), device=image.values.device).split(BATCH):
            log_odds = learner.pairing.aligned_log_odds(text.take(rows), image.take(rows))
            scores = log_odds.double().numpy(force=True)
            matrices.append(scores)
            figures = batch_figures(scores)
            choice = choose(np.take_along_axis(scores, _own_and_others(random), 1))
            for name in ("accuracy", "loss", "separation"):
                found[name].append(getattr(figures, name))
            found["five_accuracy"].append(choice.accuracy)
            found["five_margin"].append(choice.margin)
    return _Answers({name: np.concatenate(v) for name, v in found.items()}, printed_accuracy(matrices))


def _own_and_others(random: np.random.Generator) -> np.ndarray:
    """Give for each of a batch's images its own column and four others': (24, 5)."""
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
        values = np.stack([answers.by_image[name] for _, answers in given])
        found = bootstrap_interval(values, bounds=BOUNDS.get(name))
        entry[name] = {"mean": found.mean, "low": found.low, "high": found.high}
    entry["printed_accuracy"] = float(np.mean([answers.printed_accuracy for _, answers in given]))
    entry["trained_well"] = entry["five_accuracy"]["low"] > 100 / CHOICES
    return entry
