"""The device that a run trains on, through Lightning Fabric. No other file knows that library."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from plait.core.errors import ConfigError, shown
from plait.nn.devices import resolve_device
from plait.nn.precision import Precision, autocast_context, resolve_precision

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["Hardware", "choose_hardware"]


def choose_hardware(device: str = "auto", *, devices: int = 1) -> Hardware:
    """Give the hardware of a name.

    Arguments:
        device:  "auto" (the fastest that is present), "cpu", "cuda" (the first GPU), "cuda:1" or "mps"
        devices: how many of them; only 1 so far
    Raises:
        ConfigError: this machine has no such device, or `devices` is not 1.
        UnknownNameError: an unknown device.
    """
    if isinstance(devices, bool) or not isinstance(devices, int) or devices != 1:
        # An in-batch loss compares the pairs of the whole batch. Cut into parts, each with its own gradients, it would
        # be another loss.
        raise ConfigError(
            f"devices: expected 1, got {shown(devices)}; one run trains on one device until the negatives of a batch "
            "are gathered across devices. To use several now, train several runs at once (`plait compare --jobs N`)"
        )
    return Hardware(resolve_device(device))


class Hardware:
    """A device, and how a learner is trained on it.

    Arguments:
        device: one that this machine has; `choose_hardware` gives the hardware of a name
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def precision(self, requested: str = "auto") -> Precision:
        """Turn "auto" into the precision the device is fast at; "fp32" and "bf16" stay as they are.

        Raises:
            UnknownNameError: it is none of the three.
        """
        return resolve_precision(requested, self.device)

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
        learner.to(self.device)

    def autocast(self, precision: Precision) -> torch.autocast:
        """Give the context in which a loss is computed at a precision."""
        return autocast_context(precision, self.device)

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

    @cached_property
    def _fabric(self) -> Fabric:
        from lightning_fabric import Fabric  # takes a second, which only training pays for
        from lightning_fabric.plugins.environments import LightningEnvironment

        # It reports its choices on the terminal, where the progress of the run is.
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        fabric = Fabric(
            accelerator=self.device.type,
            devices=[self.device.index or 0] if self.device.type == "cuda" else 1,
            precision="32-true",  # `autocast` sets the precision of the loss, as it does for evaluation
            plugins=[LightningEnvironment()],  # variables of a cluster (SLURM, MPI) start no further processes
        )
        fabric.launch()
        return fabric
