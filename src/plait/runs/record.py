"""What `run.json` says of a finished run."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from plait.audit.record import Audit
from plait.core.config import Recipe, recipe_to_dict
from plait.core.evaluation import Evaluation
from plait.core.files import read_json
from plait.data.collection import Collection
from plait.model import Learner
from plait.task import Use
from plait.train.fit import FitResult

__all__ = ["RECORD_FILE", "finished_record", "make_record"]

RECORD_FILE = "run.json"


def finished_record(folder: Path) -> dict[str, Any] | None:
    """Give a finished run's record, or None while there is none."""
    path = folder / RECORD_FILE
    if not path.exists():
        return None
    record: dict[str, Any] = read_json(path)
    return record


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
        sitting: what times depend on: {"jobs", "threads", "device"}
    """
    audit_flags = () if audit is None else audit.flags
    return {
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
        "params": sum(parameter.numel() for parameter in learner.trained_parameters()),
        "steps": result.steps,
        "step_ms": result.step_ms,
        "train_s": result.train_s,
        "eval_s": evaluation.eval_s,
        "peak_mb": result.peak_mb,
        "curve": result.curve,
        **sitting,
    }
