"""Weights and training state on disk: safetensors with JSON metadata, replaced in one rename.

Whenever the process is killed, the file is either the whole old one or the whole new one. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from plait.core.errors import CheckpointError
from plait.core.files import write_bytes
from plait.core.os_errors import os_sentence
from plait.fusion.base.renamed_weights import renamed_weight

__all__ = [
    "TrainingState",
    "current_names",
    "load_into",
    "read_tensors",
    "write_tensors",
]

TrainingState = tuple[dict[str, Tensor], dict[str, Any]]


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Replace a safetensors file, with JSON metadata inside, in one step.

    Tensors may be on any device, and share memory: each is written whole under its own name.

    Raises:
        StorageError: the disk is full or not writable; the old file, if any, is untouched.
    """
    plain: dict[str, Tensor] = {}
    written: set[int] = set()
    for name, tensor in tensors.items():
        own = tensor.detach().cpu().contiguous()
        place = own.untyped_storage().data_ptr()
        plain[name] = own.clone() if place in written else own  # safetensors refuses memory that two names share
        written.add(place)
    write_bytes(path, to_bytes(plain, metadata={"plait": json.dumps(metadata, allow_nan=False)}))


def read_tensors(path: Path) -> TrainingState:
    """Read what `write_tensors` wrote: the tensors and the metadata.

    Raises:
        CheckpointError: missing, damaged, or not written by Plait.
    """
    try:
        # safetensors says "no such file" of one that may not be read.
        path.open("rb").close()
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file; expected weights that `plait fit` or `compare` wrote") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {os_sentence(error)}") from error
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            metadata = json.loads((file.metadata() or {})["plait"])
    except (SafetensorError, KeyError, ValueError, RecursionError, OSError) as error:
        raise CheckpointError(f"{path}: not a weight file of Plait, or damaged ({error}); fit the run again") from None
    return tensors, metadata


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], *, where: str) -> None:
    """Load weights strictly: their names and shapes must be those of the module, wherever the module is.

    Raises:
        CheckpointError: names or shapes differ; the message names the first of each.
    """
    own = module.state_dict()
    missing, extra = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    if missing or extra:
        raise CheckpointError(
            f"{where}: the weights are of another model: {len(missing)} missing (first: {missing[:1]}), "
            f"{len(extra)} unexpected (first: {extra[:1]}); load them with the recipe they were trained with"
        )
    for name, tensor in tensors.items():
        if own[name].shape != tensor.shape:
            raise CheckpointError(
                f"{where}: {name} should be {tuple(own[name].shape)}, is {tuple(tensor.shape)}; load the weights with "
                "the recipe they were trained with"
            )
    with torch.no_grad():
        module.load_state_dict(dict(tensors))


def current_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give a training state's tensors under today's names.

    Earlier versions saved "model.*", "objective.*" and "average.*" in place of "learner.model.*", "learner.objective.*"
    and "average.model.*", and had other names for some weights. Parameters keep their order, so the optimiser's
    numbers stay as they are.
    """
    is_old = not any(name.startswith("learner.") for name in tensors)
    found = {}
    for name, tensor in tensors.items():
        kind, _, weight = name.partition(".")
        if is_old and kind in ("model", "objective"):
            kind, weight = "learner", name
        elif is_old and kind == "average":
            weight = f"model.{weight}"
        is_weight = kind in ("learner", "average")
        found[f"{kind}.{renamed_weight(weight)}" if is_weight else name] = tensor
    return found
