"""Whether what run.json holds is a run's record: every table is there, the recipe reads, the figures are possible."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plait.core.config import recipe_from_dict
from plait.core.errors import CheckpointError, PlaitError
from plait.core.recipe.renamed import RenamedWarning
from plait.tasks import find_task

__all__ = ["check_record"]

_MEND = "the file is damaged; the command that made the run repairs it"
# A mean of many figures of 100 may come out a little above it.
_ROUNDING = 1e-6
# Tables of a record, and the keys of theirs that every verb may read.
_TABLES: Mapping[str, tuple[str, ...]] = {
    "recipe": (),
    "metrics": (),
    "encoders": ("text", "image"),
    "data": ("name", "fingerprint", "split", "photos", "captions"),
}


def check_record(record: Any, path: Path) -> None:
    """Refuse what is no record of a run, and figures that no evaluation gives.

    Raises:
        CheckpointError: the message names the file and the key.
    """
    if not isinstance(record, Mapping):
        raise CheckpointError(f"{path}: expected a run's record, an object; {_MEND}")
    for key, inner in _TABLES.items():
        value = record.get(key)
        if not isinstance(value, Mapping):
            raise CheckpointError(f"{path}, key {key!r}: expected an object of a run's record; {_MEND}")
        if missing := [name for name in inner if name not in value]:
            raise CheckpointError(f"{path}, key {key!r}: expected {missing[0]!r} in it; {_MEND}")
    files = record.get("files", {})
    whole = isinstance(files, Mapping) and all(
        Path(name).name == name and isinstance(facts, Mapping) and {"bytes", "sha256"} <= facts.keys()
        for name, facts in files.items()
    )
    if not whole:
        raise CheckpointError(f"{path}, key 'files': expected names of files with their sizes and hashes; {_MEND}")
    try:
        # A run that was written by an earlier version is not the user's to change: its old names need no warning.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RenamedWarning)
            task = find_task(recipe_from_dict(record["recipe"], where=str(path)).task)
    except PlaitError as error:
        said = str(error) if str(path) in str(error) else f"{path}, key 'recipe': {error}"
        raise CheckpointError(f"{said}; the file was changed, or a later version of Plait wrote it") from None
    bounds = {metric.key: metric.bounds for metric in task.metrics}
    for name, value in record["metrics"].items():
        low, high = bounds.get(name, (-math.inf, math.inf))
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or not low - _ROUNDING <= value <= high + _ROUNDING:
            raise CheckpointError(f"{path}, key 'metrics': {name} cannot be {value!r}; {_MEND}")
