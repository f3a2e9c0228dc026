"""What made a number: versions of the software, and the machine. Figures are bit-equal on one machine only."""

from __future__ import annotations

import platform
import re
from importlib.metadata import version
from pathlib import Path

__all__ = ["versions"]

CPU_FACTS = Path("/proc/cpuinfo")


def versions() -> dict[str, str]:
    """Give name -> version of Plait, torch, NumPy and Python, and what the system and the processor call themselves."""
    found = {name: version(name) for name in ("plait", "torch", "numpy")}
    found |= {"python": platform.python_version(), "system": platform.platform(terse=True)}
    return {**found, "processor": _processor()}


def _processor() -> str:
    try:
        named = re.search(r"^model name\s*:\s*(.+)$", CPU_FACTS.read_text(encoding="utf-8", errors="replace"), re.M)
    except OSError:  # no /proc outside Linux
        named = None
    return named[1].strip() if named else platform.processor() or platform.machine()
