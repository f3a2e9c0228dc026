"""A finished run made small, to be shipped: half-precision weights, its record, and a model card."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import torch

from plait.core.errors import CheckpointError
from plait.core.files import read_json, write_bytes, write_json
from plait.metrics.statistics import bootstrap_interval
from plait.train.checkpoint import read_tensors, write_tensors

__all__ = ["export_run"]

_MATCH_LIMITS = """rare there (for Flickr8k, which is people, dogs and sports, already a cat or a cup) is often
matched with the wrong sentence, and with high probability. Counting, text in images, names and spatial relations are
beyond it. Probabilities are over the candidates given, so one of them always looks likely, fitting or not."""
_MASK_LIMITS = """rare there is often marked wrongly, and with high probability. A phrase whose thing is not in the
photo is not told from one whose thing is: something may be marked all the same. Outlines are as
coarse as the decoder's grid."""
_LEAKY = """**Leaky.** The score has read the answer: pairs were fused before they were compared. The numbers below are
no matching results, and serve to reproduce published tables only.

"""
_MASK_METRICS = (
    ("miou", "mIoU"),
    ("oiou", "oIoU"),
    ("miou_text_shuffled", "mIoU with another photo's text"),
    ("miou_mean_mask", "mIoU of the mean training mask"),
)
RETRAIN = "plait fit --recipe {recipe} --data DIR --seed {seed} --out RUN && plait export RUN --out MODEL"


def export_run(folder: Path, out: Path) -> dict[str, Any]:
    """Copy what a model needs in use from a finished run's folder to `out`, floats as float16.

    Returns: {"out", "bytes"}: where, and how large the weights are.
    Raises:
        CheckpointError: no finished run, or weights too large for float16.
    """
    record = read_json(folder / "run.json")
    tensors, metadata = read_tensors(folder / "weights.safetensors")
    small = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    for name, tensor in small.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise CheckpointError(
                f"{folder}: {name} holds values beyond float16's 65,504; the run cannot be made small"
            )
    path = out / "weights.safetensors"
    write_tensors(path, small, metadata)
    words = folder / "vocabulary.json"
    if words.exists():
        write_bytes(out / words.name, words.read_bytes())
    write_json(out / "run.json", {**record, "weights": "float16"})
    write_bytes(out / "MODEL_CARD.md", _card(record, folder, path.stat().st_size).encode())
    return {"out": str(out), "bytes": path.stat().st_size}


def _card(record: dict[str, Any], folder: Path, size_bytes: int) -> str:
    recipe, data = record["recipe"], record["data"]
    fusion, train = recipe["fusion"], recipe["train"]
    seen = record.get("tokens", fusion["tokens"])
    is_mask = recipe["task"] == "mask"
    does = "It scores how well a photo and an English sentence fit."
    scores = f"Scores are {record['score_kind']}: comparable within this model only."
    if is_mask:
        does = "It marks the pixels of a photo that an English phrase speaks of."
        scores = (
            f"A pixel counts from probability {record['mask']['threshold']:.2f} on, chosen on "
            f"{record['mask']['threshold_on']}."
        )
    leaky = _LEAKY if "leaky" in record.get("flags", ()) else ""
    limits = _MASK_LIMITS if is_mask else _MATCH_LIMITS
    command = RETRAIN.format(recipe=shlex.quote(recipe["name"]), seed=train["seed"])
    return f"""# Model card

**What it is.** A Plait run: fusion `{fusion["name"]}` ({seen}, pairing `{record["pairing"]}`), recipe
`{recipe["name"]}`, seed {train["seed"]}. {does}

**What is in the file.** {record["params"]:,} trained parameters as float16 ({size_bytes / 2**20:.1f} MiB). Frozen
encoders are not in it; they come from their own packages and are checked by SHA-256:

- text: `{record["encoders"]["text"]}`
- image: `{record["encoders"]["image"]}`

**Data.** Trained on the train split of `{data["name"]}` (fingerprint `{data["fingerprint"][:16]}`); measured on its
`{data["split"]}` split, which shares no photo with it: {data["photos"]:,} photos, {data["captions"]:,} captions. The
last epoch's weights count; no epoch and no setting was chosen on that split by the training command.

{leaky}**Numbers** ({data["split"]}, n = {data["photos"]:,} photos, one seed; 95 % bootstrap intervals over photos):

| metric | value | 95 % |
| --- | --- | --- |
{_numbers(record, folder)}

{scores}

**Limits.** It knows what its training photos show and how their captions speak, and little else: a subject that was
{limits} Captions carry their writers'
assumptions about the people shown: not for decisions about people. The photographs and captions are not distributed
with the model; the terms of the data are its owners'.

**Retrain it.** With a folder DIR that holds `images/`, `captions.csv` and `splits.json`:

    {command}
"""


def _numbers(record: dict[str, Any], folder: Path) -> str:
    tables, _ = read_tensors(folder / "by_photo.safetensors")
    lines = []
    if "miou" in record["metrics"]:
        for name, label in _MASK_METRICS:
            found = bootstrap_interval(tables[name].numpy(), weights=tables["counts.mask"].numpy(), bounds=(0.0, 100.0))
            lines.append(f"| {label} | {record['metrics'][name]:.1f} | {found.low:.1f} to {found.high:.1f} |")
        return "\n".join(lines)
    for direction, words in (("t2i", "text to image"), ("i2t", "image to text")):
        for k in (1, 5, 10):
            name = f"{direction}_r{k}"
            weights = tables[f"counts.{direction}"].numpy()
            found = bootstrap_interval(tables[name].numpy(), weights=weights, bounds=(0.0, 100.0))
            lines.append(f"| {words} R@{k} | {record['metrics'][name]:.1f} | {found.low:.1f} to {found.high:.1f} |")
    return "\n".join(lines)
