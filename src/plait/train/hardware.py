"""The device that a run trains on, through Lightning Fabric. No other file knows that library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from plait.core.errors import ConfigError
from plait.nn.devices import move_module, resolve_device
from plait.nn.precision import Precision, autocast_context, resolve_precision

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["Hardware"]


class Hardware:
    """A device, the precision it computes at, and how gradients are taken on it.

    Arguments:
        device:    "auto" (the fastest that is present), "cpu", "cuda", "cuda:1" or "mps"
        devices:   how many of them; only 1 so far
        precision: "auto" (what the device is fast at), "fp32" or "bf16"
    Raises:
        ConfigError: this machine has no such device, or `devices` is not 1.
        UnknownNameError: an unknown device or precision.
    """

    def __init__(self, device: str = "auto", *, devices: int = 1, precision: str = "auto") -> None:
        if devices != 1:
            # An in-batch loss compares the pairs of the whole batch. Cut into parts, each with its own gradients, it
            # would be another loss.
            raise ConfigError(
                f"devices: expected 1, got {devices}; one run trains on one device until the negatives of a batch are "
                "gathered across devices. To use several now, train several runs at once (`plait compare --jobs N`)"
            )
        self.device: torch.device = resolve_device(device)
        self.precision: Precision = resolve_precision(precision, self.device)
        self._fabric = _fabric(self.device, self.precision)

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and reports events: the first of those that train together."""
        return self._fabric.is_global_zero

    @property
    def processes(self) -> int:
        """How many processes train together."""
        return self._fabric.world_size

    def place(self, learner: nn.Module) -> None:
        """Move a learner to the device, in place, frozen encoders included. Make its optimiser afterwards."""
        move_module(learner, self.device)

    def autocast(self) -> torch.autocast:
        """Give the context in which the loss is computed at the precision."""
        return autocast_context(self.precision, self.device)

    def take_gradients(self, loss: Tensor) -> None:
        """Add the gradients of a loss, () float, to those of the parameters."""
        self._fabric.backward(loss)

    def wait(self) -> None:
        """Wait until the device has done all that it was given, so that a clock measures it."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()

    def random_state(self) -> dict[str, Tensor]:
        """Give the state of the random generators: that of the CPU as "random", and that of the device."""
        state = {"random": torch.get_rng_state()}
        if self.device.type == "cuda":
            state["random.cuda"] = torch.cuda.get_rng_state(self.device)
        elif self.device.type == "mps":
            state["random.mps"] = torch.mps.get_rng_state()
        return state

    def restore_random_state(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `random_state` gave. A state of another kind of device leaves this device's generator."""
        torch.set_rng_state(state["random"])
        if self.device.type == "cuda" and "random.cuda" in state:
            torch.cuda.set_rng_state(state["random.cuda"], self.device)
        elif self.device.type == "mps" and "random.mps" in state:
            torch.mps.set_rng_state(state["random.mps"])


def _fabric(device: torch.device, precision: Precision) -> Fabric:
    from lightning_fabric import Fabric  # a second: only what trains pays for it
    from lightning_fabric.plugins.environments import LightningEnvironment

    fabric = Fabric(
        accelerator=device.type,
        devices=1 if device.index is None else [device.index] if device.type == "cuda" else 1,
        precision="bf16-mixed" if precision == "bf16" else "32-true",
        plugins=[LightningEnvironment()],  # a cluster's variables (SLURM, MPI) start no further processes
    )
    fabric.launch()
    return fabric
