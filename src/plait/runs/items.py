"""What each image adds to each figure of a run, on disk: the file that intervals and paired tests read.

`by_photo.safetensors` holds, for a metric KEY, the tensor KEY with its items and beside it KEY.weights (how many
answers each image has) or, for a median, KEY.owner (the image that each answer belongs to); see
`plait.core.evaluation.Measured`. Files of earlier versions share weights between metrics and keep ranks apart; they are
read as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from plait.core.errors import CheckpointError
from plait.core.evaluation import Evaluation
from plait.core.metric import Metric
from plait.train.checkpoint import read_tensors, write_tensors

__all__ = ["ITEMS_FILE", "ReadItems", "current_key", "read_items", "write_items"]

ITEMS_FILE = "by_photo.safetensors"
# (file, metric) -> items and weights, or items and owner: what `read_items` gives
ReadItems = Callable[[Path, Metric], tuple[np.ndarray, np.ndarray]]
_OLD_SUFFIX, _SUFFIX = "_luck", "_random"


def write_items(folder: Path, evaluation: Evaluation) -> None:
    """Write the items of every measured metric into a run's folder."""
    tensors: dict[str, Tensor] = {}
    for one in evaluation.measured:
        key, items = one.metric.key, np.asarray(one.items)
        tensors[key] = torch.from_numpy(items)  # metrics may share weights, which one file must not
        if one.metric.statistic == "median":
            tensors[f"{key}.owner"] = torch.from_numpy(np.asarray(one.owner, dtype=np.int64))
        else:
            weights = np.ones(len(items)) if one.weights is None else np.asarray(one.weights)
            tensors[f"{key}.weights"] = torch.from_numpy(weights).clone()
    write_tensors(folder / ITEMS_FILE, tensors, {"split": evaluation.split})


def read_items(path: Path, metric: Metric) -> tuple[np.ndarray, np.ndarray]:
    """Read the items of a metric, and their weights or, for a median, their owners.

    Shapes:
        returns: (I,) float and (I,) weights for a mean; (Q,) float and (Q,) int64 owners for a median
    Raises:
        CheckpointError: the file is missing or damaged, or does not hold the metric.
    """
    tensors, _ = read_tensors(path)
    for items, beside in _places(tensors, metric):
        if items in tensors and beside in tensors:
            return tensors[items].numpy(), tensors[beside].numpy()
    raise CheckpointError(
        f"{path}: holds no {metric.key!r}, another version of Plait wrote it; delete {path.parent}, and the same "
        "command fits that run again"
    )


def current_key(key: str) -> str:
    """Give the present name of a metric in a run's record: "t2i_r1_luck" of earlier versions is "t2i_r1_random"."""
    return key.removesuffix(_OLD_SUFFIX) + _SUFFIX if key.endswith(_OLD_SUFFIX) else key


def _places(tensors: Mapping[str, Tensor], metric: Metric) -> list[tuple[str, str]]:
    """Give the pairs of names under which the file may hold the metric, the present layout first."""
    key, first = metric.key, metric.key.split("_")[0]
    if metric.statistic == "median":
        return [(key, f"{key}.owner"), (f"ranks.{first}", f"rank_photo.{first}")]
    counts = [name for name in tensors if name.startswith("counts.")]
    shared = f"counts.{first}" if f"counts.{first}" in counts else counts[0] if len(counts) == 1 else ""
    old = key.removesuffix(_SUFFIX) + _OLD_SUFFIX if key.endswith(_SUFFIX) else key
    return [(key, f"{key}.weights"), (key, shared), (old, shared)]
