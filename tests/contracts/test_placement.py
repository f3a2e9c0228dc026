"""The mode that fails where a tensor is made on no named device: what it refuses and what it lets pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.contracts.placement import NoImplicitDevice

HERE = torch.ones(3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.arange(3),
        lambda: torch.zeros(2),
        lambda: torch.ones(2, dtype=torch.bool),
        lambda: torch.full((2,), 1.0),
        lambda: torch.empty(2),
        lambda: torch.tensor([1.0]),
        lambda: torch.as_tensor(np.zeros(2)),
        lambda: torch.from_numpy(np.zeros(2)),
        lambda: torch.rand(2),
        lambda: torch.randn(2),
        lambda: torch.randint(0, 2, (2,)),
        lambda: torch.randperm(3),
        lambda: torch.normal(0.0, 1.0, (2,)),
        lambda: torch.eye(2),
        lambda: torch.linspace(0, 1, 3),
        lambda: torch.arange(3, device=None),
    ],
)
def test_a_factory_without_a_device_is_refused_with_its_place(make: Callable[[], Any]) -> None:
    with NoImplicitDevice(), pytest.raises(AssertionError, match=r"test_placement\.py:\d+: torch\.\w+ without device"):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.arange(3, device=HERE.device),
        lambda: torch.as_tensor(np.zeros(2), device=HERE.device),
        lambda: torch.as_tensor(HERE),
        lambda: torch.normal(HERE, HERE),
        lambda: HERE.new_zeros(4),
        lambda: torch.zeros_like(HERE),
        lambda: torch.stack([HERE, HERE]) @ HERE,
        lambda: nn.functional.one_hot(HERE.long(), 3),
    ],
)
def test_what_follows_a_tensor_passes(make: Callable[[], Any]) -> None:
    with NoImplicitDevice():
        assert isinstance(make(), torch.Tensor)


def test_torch_itself_is_left_alone() -> None:
    layer = nn.GRU(3, 2, batch_first=True)
    with NoImplicitDevice():
        packed = nn.utils.rnn.pack_padded_sequence(HERE.expand(2, 4, 3), [4, 2], batch_first=True)
        assert layer(packed)[0].data.shape == (6, 2)


def test_it_ends_with_its_block() -> None:
    with NoImplicitDevice():
        pass
    assert torch.from_numpy(np.zeros(2)).shape == torch.zeros(2).shape
