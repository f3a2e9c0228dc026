"""A learner's weights on disk, and the names they had in earlier versions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from plait.core.errors import CheckpointError
from plait.fusion.base.renamed_weights import renamed_weight
from plait.model import Learner
from plait.train.checkpoint import load_into, read_tensors, write_tensors

__all__ = ["WEIGHTS_FILE", "load_weights", "save_weights", "todays_names"]

WEIGHTS_FILE = "weights.safetensors"


def save_weights(folder: Path, learner: Learner, metadata: Mapping[str, Any]) -> None:
    """Write what was trained: "model.*", "objective.*" and the task's own parts."""
    tensors = {name: tensor.detach().clone() for name, tensor in learner.state_dict().items()}
    write_tensors(folder / WEIGHTS_FILE, tensors, metadata)


def load_weights(folder: Path, learner: Learner) -> None:
    """Read weights into a learner, strictly.

    Raises:
        CheckpointError: missing, damaged, of another model, or not finite; the message names the tensor.
    """
    path = folder / WEIGHTS_FILE
    tensors, _ = read_tensors(path)
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            count = int((~tensor.isfinite()).sum())
            raise CheckpointError(
                f"{path}: {name!r} holds {count:,} of {tensor.numel():,} values that are NaN or infinite, so every "
                "score would be NaN; the training diverged or the file was changed. Delete the folder and fit the run "
                "again, with a lower learning rate if it diverged"
            )
    load_into(learner, todays_names(tensors), where=str(path))


def todays_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give saved tensors under the names that parameters have today."""
    return {renamed_weight(name): tensor for name, tensor in tensors.items()}
