"""Hardware: a device by name, gradients through Fabric, and the state of every random generator."""

from __future__ import annotations

import logging
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from plait.core.errors import ConfigError, UnknownNameError
from plait.nn.precision import Precision
from plait.train.hardware import Hardware, choose_hardware
from tests.train.toys import toy_learner


def test_one_process_trains_on_the_cpu() -> None:
    hardware = choose_hardware("cpu")
    assert hardware.device == torch.device("cpu")
    assert hardware.is_main
    assert hardware.processes == 1
    hardware.wait()


def test_a_missing_or_unknown_device_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plait.nn.devices.present_devices", lambda: ("cpu",))
    with pytest.raises(ConfigError, match=r"'cuda'.*which are cpu"):
        choose_hardware("cuda")
    with pytest.raises(UnknownNameError, match=r"unknown device 'cudda'.*'cuda'"):
        choose_hardware("cudda")


@pytest.mark.parametrize("devices", [0, 2])
def test_several_devices_are_refused_with_what_to_do(devices: int) -> None:
    with pytest.raises(ConfigError, match=rf"expected 1, got {devices}.*--jobs"):
        choose_hardware("cpu", devices=devices)


def test_gradients_are_those_of_pytorch(precision: Precision) -> None:
    seen = []
    for hardware in (choose_hardware("cpu"), None):
        torch.manual_seed(0)
        layer, values = nn.Linear(4, 3), torch.randn(5, 4)
        with choose_hardware("cpu").autocast(precision):
            loss = layer(values).square().mean()
        if hardware is None:
            loss.backward()
        else:
            hardware.take_gradients(loss)
        seen.append(layer.weight.grad)
    assert torch.equal(seen[0], seen[1])


def test_a_learner_is_placed_with_its_frozen_encoders() -> None:
    learner = toy_learner()
    learner.model.image._frozen = (nn.Linear(2, 2),)
    Hardware(torch.device("meta")).place(learner)
    assert {tensor.device.type for tensor in learner.state_dict().values()} == {"meta"}
    assert learner.model.image._frozen[0].weight.device.type == "meta"


def test_the_random_state_of_the_cpu_comes_back() -> None:
    hardware = choose_hardware("cpu")
    state = hardware.random_state()
    assert list(state) == ["random"]
    first = torch.rand(3)
    hardware.restore_random_state(state)
    assert torch.equal(torch.rand(3), first)


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_the_random_state_of_the_device_is_kept_beside_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    held = {"state": torch.tensor([1, 2], dtype=torch.uint8)}
    waited: list[str] = []
    fake = SimpleNamespace(
        get_rng_state=lambda *device: held["state"],
        set_rng_state=lambda state, *device: held.update(state=state),
        synchronize=lambda *device: waited.append(kind),
    )
    monkeypatch.setattr(f"plait.train.hardware.torch.{kind}", fake)
    hardware = Hardware(torch.device(kind, 0))
    state = hardware.random_state()
    held["state"] = torch.tensor([9], dtype=torch.uint8)
    hardware.restore_random_state({"random": state["random"]})
    assert held["state"].tolist() == [9], "the state of another device leaves this one's generator"
    hardware.restore_random_state(state)
    assert held["state"].tolist() == [1, 2]
    hardware.wait()
    assert waited == [kind]


def test_fabric_is_imported_when_something_trains_and_not_before() -> None:
    code = (
        "import sys; from plait.train.fit import Trainer; from plait.train.hardware import choose_hardware; "
        "hardware = choose_hardware('cpu'); hardware.precision(); assert 'lightning_fabric' not in sys.modules; "
        "assert hardware.is_main; assert 'lightning_fabric' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_fabric_starts_no_processes_and_says_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "job", "SLURM_PROCID": "3"}.items():
        monkeypatch.setenv(name, value)
    with caplog.at_level(logging.INFO):
        hardware = choose_hardware("cpu")
        assert hardware.processes == 1
        assert hardware.is_main
    assert caplog.records == []
