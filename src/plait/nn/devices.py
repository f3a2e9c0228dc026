"""Which device to compute on, and which one a module is on."""

from __future__ import annotations

from itertools import chain

import torch
from torch import nn

from plait.core.errors import ConfigError, UnknownNameError, shown

__all__ = ["DEVICES", "device_of", "present_devices", "resolve_device"]

DEVICES = ("auto", "cpu", "cuda", "mps")


def present_devices() -> tuple[str, ...]:
    """Give the kinds of device that this machine has, the fastest first."""
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return tuple(kind for kind, is_present in found.items() if is_present)


def resolve_device(requested: str = "auto") -> torch.device:
    """Turn "auto" into the fastest device that is present, and check any other choice.

    Arguments:
        requested: "auto", "cpu", "cuda" (the first GPU), "cuda:1" (a certain one) or "mps"
    Raises:
        UnknownNameError: it is none of these.
        ConfigError: this machine has no such device.
    """
    if not isinstance(requested, str):
        raise ConfigError(f"device: expected one of {', '.join(DEVICES)}, got {shown(requested)}")
    present = present_devices()
    kind, _, number = requested.partition(":")
    if kind not in DEVICES or (number and not (number.isdecimal() and kind in ("cuda", "mps"))):
        raise UnknownNameError("device", requested, DEVICES)
    if kind == "auto":
        kind = present[0]
    if kind not in present:
        raise ConfigError(
            f"device {requested!r}: expected a device that this machine has, which are {', '.join(present)}; choose "
            f"one of them, or install a build of PyTorch {torch.__version__} that supports {kind}"
        )
    if kind == "cpu":
        return torch.device("cpu")
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if int(number or 0) >= count:
        raise ConfigError(
            f"device {requested!r}: expected a number below {count}, which is how many {kind} devices this machine "
            f"has; choose {kind}:0 to {kind}:{count - 1}"
        )
    return torch.device(kind, int(number or 0))


def device_of(module: nn.Module) -> torch.device:
    """Give the device of a module's weights; PyTorch's default device where it has none."""
    weight = next(chain(module.parameters(), module.buffers()), None)
    return torch.get_default_device() if weight is None else weight.device
