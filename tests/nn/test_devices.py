"""Devices: "auto" takes the fastest one, and a missing one is named."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from plait.core.errors import ConfigError, UnknownNameError
from plait.nn import devices
from plait.nn.devices import device_of, present_devices, resolve_device


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that this machine has two CUDA devices."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.usefixtures("two_gpus")
def test_auto_takes_a_gpu_and_the_cpu_stays_a_choice() -> None:
    assert present_devices() == ("cuda", "cpu")
    assert resolve_device("auto") == resolve_device("cuda") == torch.device("cuda", 0)
    assert resolve_device("cuda:1") == torch.device("cuda", 1)
    assert resolve_device("cpu") == torch.device("cpu")
    with pytest.raises(ConfigError, match="below 2"):
        resolve_device("cuda:2")
    with pytest.raises(ConfigError, match=r"'mps'.*cuda, cpu"):
        resolve_device("mps")


def test_an_apple_gpu_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert resolve_device("auto") == torch.device("mps", 0)


def test_without_a_gpu_auto_is_the_cpu_and_cuda_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "present_devices", lambda: ("cpu",))
    assert resolve_device("auto") == torch.device("cpu")
    with pytest.raises(ConfigError, match=r"'cuda'.*which are cpu.*supports cuda"):
        resolve_device("cuda")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:1", "auto:0", ""])
def test_unknown_devices_are_refused(name: str) -> None:
    with pytest.raises(UnknownNameError, match="device"):
        resolve_device(name)


def test_a_module_without_weights_is_on_the_default_device() -> None:
    assert device_of(nn.GELU()) == torch.get_default_device()
