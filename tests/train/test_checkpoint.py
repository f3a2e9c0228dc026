"""Weight files: whole or old, never half; strict when loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from plait.core.errors import CheckpointError
from plait.train.checkpoint import load_into, read_tensors, write_tensors


def test_tensors_and_metadata_come_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "w.safetensors"
    write_tensors(path, {"a": torch.arange(3.0)}, {"step": 7, "losses": [0.5]})
    tensors, metadata = read_tensors(path)
    assert tensors["a"].tolist() == [0.0, 1.0, 2.0]
    assert metadata == {"step": 7, "losses": [0.5]}


def test_tensors_that_share_memory_are_written_each(tmp_path: Path) -> None:
    whole = torch.arange(6.0).view(2, 3)
    tensors = {"a": whole, "b": whole, "row": whole[1], "column": whole[:, 1], "none": whole[:0]}
    write_tensors(tmp_path / "w.safetensors", tensors, {})
    found, _ = read_tensors(tmp_path / "w.safetensors")
    assert {name: tensor.tolist() for name, tensor in found.items()} == {k: v.tolist() for k, v in tensors.items()}


def test_damage_is_named(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"not tensors at all")
    with pytest.raises(CheckpointError, match="not a weight file of Plait, or damaged"):
        read_tensors(tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match="no such file; expected weights"):
        read_tensors(tmp_path / "none.safetensors")


def test_weights_of_another_model_are_refused() -> None:
    with pytest.raises(CheckpointError, match=r"of another model: 1 missing \(first: \['bias'\]\), 1 unexpected"):
        load_into(nn.Linear(2, 2), {"weight": torch.zeros(2, 2), "other": torch.zeros(1)}, where="w")
    with pytest.raises(CheckpointError, match=r"weight should be \(2, 2\), is \(3, 2\)"):
        load_into(nn.Linear(2, 2), {"weight": torch.zeros(3, 2), "bias": torch.zeros(2)}, where="w")
