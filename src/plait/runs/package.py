"""A finished run made small, to be shipped: half-precision weights, its record, and a model card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from plait.core.errors import CheckpointError, ConfigError
from plait.core.files import write_bytes
from plait.metrics.intervals import interval_of
from plait.report.flags import flag_sentences
from plait.runs.fit import HEAD_FILE, WORDS_FILE
from plait.runs.items import ITEMS_FILE, read_items
from plait.runs.kinds import check_output
from plait.runs.recipe_text import RECIPE_FILE, recipe_text
from plait.runs.record import finished_record, sound_record, write_record
from plait.runs.weights import WEIGHTS_FILE
from plait.tasks import find_task
from plait.train.checkpoint import read_tensors, write_tensors

__all__ = ["package_run"]

_LEAKY = """**Leaky.** The score has read the answer: pairs were fused before they were compared. The numbers below are
no results of the task, and serve to reproduce published tables only.

"""
RETRAIN = "plait fit --recipe {recipe} --data DIR --seed {seed} --out RUN && plait package RUN --out MODEL"


def package_run(folder: Path, out: Path) -> dict[str, Any]:
    """Copy what a model needs in use from a finished run's folder to `out`, floats as float16, with recipe and card.

    Returns: {"out", "bytes"}: where, and how large the weights are.
    Raises:
        ConfigError: `out` is the run's own folder, or holds something else.
        CheckpointError: no finished run, or weights too large for float16.
    """
    if out.exists() and out.resolve() == folder.resolve():
        raise ConfigError(
            f"--out {out}: this is the run itself, and packaging halves its precision; choose another folder"
        )
    check_output(out, "packaged model")
    record = sound_record(folder)
    _check_same(out, record)
    tensors, metadata = read_tensors(folder / WEIGHTS_FILE)
    small = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    for name, tensor in small.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise CheckpointError(
                f"{folder}: {name} holds values beyond float16's 65,504; the run cannot be made small"
            )
    path, words = out / WEIGHTS_FILE, folder / WORDS_FILE
    # What may be refused is read before anything is written.
    numbers, recipe = _numbers(record, folder), recipe_text(folder)
    write_tensors(path, small, metadata)
    for kept in (words, folder / HEAD_FILE):
        if kept.exists():
            write_bytes(out / kept.name, kept.read_bytes())
    write_bytes(out / RECIPE_FILE, recipe.encode())
    write_bytes(out / "MODEL_CARD.md", _card(record, numbers, size_bytes=path.stat().st_size, recipe=recipe).encode())
    write_record(out, {**record, "weights": "float16"}, (WEIGHTS_FILE, WORDS_FILE, HEAD_FILE))
    return {"out": str(out), "bytes": path.stat().st_size}


def _check_same(out: Path, record: dict[str, Any]) -> None:
    """Refuse to write over the packaged model of another run; one that is damaged is written again."""
    try:
        there = finished_record(out)
    except CheckpointError:
        return
    what = ("recipe", "data", "metrics")
    if there is not None and any(there[key] != record[key] for key in what):
        raise ConfigError(f"--out {out}: this folder holds the packaged model of another run; choose another folder")


def _card(record: dict[str, Any], numbers: str, *, size_bytes: int, recipe: str) -> str:
    settings, data = record["recipe"], record["data"]
    task = find_task(settings["task"])
    card = task.load_card()
    fusion, train = settings["fusion"], settings["train"]
    leaky = _LEAKY if "leaky" in record.get("flags", ()) else ""
    against = "".join(f"- {sentence}\n" for sentence in flag_sentences(record) if not leaky)
    against = f"**What its own figures say against it.**\n\n{against}\n" if against else ""
    command = RETRAIN.format(recipe=RECIPE_FILE, seed=train["seed"])
    use = ", ".join(f"{key} `{record[key]}`" for key in ("tokens", "pairing") if key in record)
    return f"""# Model card

**What it is.** A Plait run of task `{task.name}`: fusion `{fusion["name"]}` ({use}), recipe
`{settings["name"]}`, seed {train["seed"]}. {card.does}

**What is in the file.** {record["params"]:,} trained parameters as float16 ({size_bytes / 2**20:.1f} MiB). Frozen
encoders are not in it; they come from their own packages and are checked by SHA-256:

- text: `{record["encoders"]["text"]}`
- image: `{record["encoders"]["image"]}`

**Data.** Trained on the train split of `{data["name"]}` (fingerprint `{data["fingerprint"][:16]}`); measured on its
`{data["split"]}` split, which shares no image with it: {data["photos"]:,} images, {data["captions"]:,} captions. The
last epoch's weights count; no epoch and no setting was chosen on that split by the training command.

{leaky}{against}**Numbers** ({data["split"]}, n = {data["photos"]:,} images, one seed; 95 % bootstrap intervals over
images):

| metric | value | 95 % |
| --- | --- | --- |
{numbers}

{card.scores(record)}

**Limits.** It knows what its training images show and how their captions are worded, little else: a subject that was
{card.limits} Captions carry their writers' assumptions about the people shown: not for decisions about people. The
images and captions are not distributed with the model; the terms of the data are its owners'.

**Retrain it.** `{RECIPE_FILE}` beside this card holds every setting of the run ({record["steps"]:,} steps). DIR is the
data `{data["name"]}` as `plait fit --data` takes it; data with the same splits and the fingerprint above give the same
training.

    {command}

```toml
{recipe.rstrip()}
```
"""


def _numbers(record: dict[str, Any], folder: Path) -> str:
    task = find_task(record["recipe"]["task"])
    keys, lines = task.load_card().metrics, []
    for metric in task.metrics:
        if metric.key in keys and metric.key in record["metrics"]:
            found = interval_of(metric, *read_items(folder / ITEMS_FILE, metric))
            lines.append(f"| {metric.label} | {found.mean:.1f} | {found.low:.1f} to {found.high:.1f} |")
    return "\n".join(lines)
