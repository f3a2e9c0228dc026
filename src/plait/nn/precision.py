"""Which precision a device is fast at: bfloat16 where it has units for it, float32 elsewhere."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from plait.core.errors import UnknownNameError

__all__ = ["Precision", "autocast_context", "is_bf16_fast", "resolve_precision", "to_channels_last"]

Precision = Literal["fp32", "bf16"]
Laid = TypeVar("Laid", Tensor, nn.Module)

# Flags of units that multiply bfloat16. PyTorch also reports support on AVX-512 without them, by emulation.
FAST_FLAGS = frozenset({"amx_bf16", "avx512_bf16", "bf16"})
CPU_FACTS = Path("/proc/cpuinfo")


def _has_fast_flag(facts: str) -> bool:
    """Tell from the text of /proc/cpuinfo (x86: "flags", Arm: "Features") whether bfloat16 has its own units."""
    lines = re.findall(r"^(?:flags|Features)\s*:(.*)$", facts, flags=re.MULTILINE)
    return bool(lines) and not FAST_FLAGS.isdisjoint(lines[0].split())


@cache
def is_bf16_fast(device: str | torch.device = "cpu") -> bool:
    """Tell whether a device multiplies bfloat16 matrices faster than float32 ones.

    Decided by what the hardware says of itself, never by timing, so that one machine always gives one answer.
    CPU: the processor's flags. One that lists none (no /proc/cpuinfo) counts as slow: a wrong "slow" costs 10x, a wrong
    "fast" 400x. CUDA: compute capability 8.0 (Ampere) and later. Apple GPUs: no, they gain nothing from bfloat16.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        # Emulated before Ampere, so `torch.cuda.is_bf16_supported` alone says too much.
        return torch.cuda.is_available() and torch.cuda.get_device_capability(device)[0] >= 8
    if kind != "cpu":
        return False
    try:
        return _has_fast_flag(CPU_FACTS.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return False


def resolve_precision(requested: str, device: str | torch.device = "cpu") -> Precision:
    """Turn "auto" into what the device is fast at; "fp32" and "bf16" stay as they are.

    "bf16" where `is_bf16_fast` says no is allowed, to reproduce another machine's numbers, but it is emulated: some 400
    times slower than float32 on AVX2.

    Raises:
        UnknownNameError: requested is none of the three.
    """
    if requested == "fp32":
        return "fp32"
    if requested == "bf16":
        return "bf16"
    if requested == "auto":
        return "bf16" if is_bf16_fast(device) else "fp32"
    raise UnknownNameError("precision", requested, ("auto", "bf16", "fp32"))


def autocast_context(precision: Precision, device: str | torch.device = "cpu") -> torch.autocast:
    """Give the context in which matrix products on a device run at `precision`: autocast for "bf16", none for "fp32".

    "fp32" also switches an outer autocast off, so that the inner choice holds.
    """
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16, enabled=precision == "bf16")


def to_channels_last(laid: Laid) -> Laid:
    """Lay a (B,3,H,W) tensor or a module's 4-D weights out with channels innermost, which convolutions read fastest."""
    # mypy knows no `to` that takes a memory format on both types.
    return laid.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
