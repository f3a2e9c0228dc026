"""Audits draw random numbers and leave the global generators as they were."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch

__all__ = ["random_state_kept"]


def random_state_kept(device: torch.device | None = None) -> AbstractContextManager[None]:
    """Give a context after which the CPU's random state, and that of `device`, is what it was before."""
    devices = [device] if device is not None and device.type == "cuda" else []
    return torch.random.fork_rng(devices=devices)
