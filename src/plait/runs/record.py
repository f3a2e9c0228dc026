"""What `run.json` says of a finished run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from plait.audit.record import Audit
from plait.core.config import Recipe, recipe_to_dict
from plait.core.errors import CheckpointError
from plait.core.evaluation import Evaluation
from plait.core.files import read_json, write_json
from plait.core.made import joined, parted
from plait.core.os_errors import os_sentence
from plait.data.collection import Collection
from plait.model import Learner
from plait.runs.check import check_record
from plait.task import Use
from plait.tasks import find_task
from plait.train.fit import FitResult

__all__ = [
    "DID_NOT_TRAIN",
    "OK",
    "RECORD_FILE",
    "damage",
    "finished_record",
    "make_record",
    "sound_record",
    "whole_record",
    "with_status",
    "write_record",
]

RECORD_FILE = "run.json"
OK, DID_NOT_TRAIN = "ok", "did not train"
# Read in blocks: weights may be larger than the free memory.
_BLOCK = 2**20


def finished_record(folder: Path) -> dict[str, Any] | None:
    """Give a finished run's record, or None while there is none.

    Raises:
        CheckpointError: the record cannot be read.
    """
    path = folder / RECORD_FILE
    if not path.exists() and not path.is_symlink():
        return None
    record = read_json(path)
    found: dict[str, Any] = joined(record) if isinstance(record, dict) else record
    check_record(found, path)
    return found


def sound_record(folder: Path) -> dict[str, Any]:
    """Give the record of a finished run whose files are all as they were written; verbs that use a run ask for it.

    Raises:
        CheckpointError: there is no run, or it is damaged; the message names the file and what to do.
    """
    record = finished_record(folder)
    if record is None:
        runs = sorted(path.parent for path in folder.glob(f"runs/*/{RECORD_FILE}"))
        if runs:
            raise CheckpointError(f"{folder}: this is a comparison; name one of its runs, such as {runs[0]}")
        raise CheckpointError(f"{folder}: holds no finished run (no run.json); `plait fit --out {folder}` makes one")
    if broken := damage(folder, record):
        raise CheckpointError(f"{folder}: the run is damaged: {broken}; the command that made it repairs it")
    return record


def whole_record(folder: Path) -> dict[str, Any] | None:
    """Give a finished run's record; None where there is none, or where the run is damaged and must be fitted again."""
    try:
        record = finished_record(folder)
    except CheckpointError:
        return None
    return None if record is None or damage(folder, record) else record


def with_status(record: Mapping[str, Any]) -> dict[str, Any]:
    """Give a record with "status": "ok", or "did not train" where its task finds its figures no better than nothing.

    A run that did not train has that flag too. Records of earlier versions hold no status; it is found again.
    """
    found = dict(record)
    if "status" not in found:
        learned = find_task(found["recipe"]["task"]).load_work().learned(found)
        found["status"] = OK if learned else DID_NOT_TRAIN
    if found["status"] == DID_NOT_TRAIN:
        found["flags"] = list(dict.fromkeys((*found.get("flags", ()), DID_NOT_TRAIN)))
    return found


def write_record(folder: Path, record: Mapping[str, Any], files: Sequence[str]) -> None:
    """Write run.json with sizes and SHA-256 of the run's other files; it is written last, when they are complete."""
    sealed = {name: _facts(folder / name) for name in files if (folder / name).is_file()}
    write_json(folder / RECORD_FILE, parted({**record, "files": sealed}))


def damage(folder: Path, record: Mapping[str, Any]) -> str:
    """Say what is wrong with a run's files, by the sizes and hashes that its record holds; "" where nothing is.

    Runs of earlier versions have no such facts; nothing is said of them here.
    """
    for name, facts in record.get("files", {}).items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        try:
            size = path.stat().st_size
            if size != facts["bytes"]:
                return f"{name} has {size:,} bytes, and had {facts['bytes']:,}"
            if _facts(path)["sha256"] != facts["sha256"]:
                return f"{name} has other content than was written"
        except OSError as error:
            return f"{name} cannot be read: {os_sentence(error)}"
    return ""


def _facts(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def make_record(
    recipe: Recipe,
    collection: Collection,
    learner: Learner,
    *,
    use: Use,
    result: FitResult,
    evaluation: Evaluation,
    audit: Audit | None,
    sitting: Mapping[str, Any],
) -> dict[str, Any]:
    """Put a run's figures, costs and origins together.

    Arguments:
        sitting: what times depend on: {"jobs", "threads", "device"}, and the limit of time, if there was one
    """
    audit_flags = () if audit is None else audit.flags
    found = {
        "plait": version("plait"),
        "torch": torch.__version__,
        "recipe": recipe_to_dict(recipe),
        **{key: value for key, value in use.columns.items() if value is not None},
        "encoders": {"text": learner.model.text.identity, "image": learner.model.image.identity},
        "data": {
            "name": collection.name,
            "fingerprint": collection.fingerprint,
            "split": evaluation.split,
            "photos": len(evaluation.images),
            "captions": len(evaluation.captions),
            "skipped": collection.facts()["skipped"],
        },
        "metrics": evaluation.metrics,
        "score_kind": evaluation.score_kind,
        "flags": list(dict.fromkeys((*evaluation.flags, *audit_flags))),
        **({} if audit is None else {"audit": audit.to_json()}),
        **({recipe.task: evaluation.details} if evaluation.details else {}),
        # Those of a first stage too: they were trained for this model, and are part of it.
        "params": sum(parameter.numel() for parameter in learner.parameters()),
        "steps": result.steps,
        "step_ms": result.step_ms,
        "train_s": result.train_s,
        "eval_s": evaluation.eval_s,
        "peak_mb": result.peak_mb,
        "curve": result.curve,
        **sitting,
    }
    return with_status(found)
