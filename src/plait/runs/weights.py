"""A learner's weights on disk, and the names they had in earlier versions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

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
        CheckpointError: missing, damaged, or of another model.
    """
    path = folder / WEIGHTS_FILE
    tensors, _ = read_tensors(path)
    load_into(learner, todays_names(tensors), where=str(path))


def todays_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give saved tensors under the names that parameters have today."""
    return {renamed_weight(name): tensor for name, tensor in tensors.items()}
