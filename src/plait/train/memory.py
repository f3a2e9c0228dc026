"""How much memory the process holds while it trains."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

__all__ = ["PeakMemory"]

STATM = Path("/proc/self/statm")


class PeakMemory:
    """The largest resident size seen at its samples, in MiB.

    Where the system has no `/proc`, the process's own high-water mark is given instead, which earlier work in the same
    process may have set.
    """

    def __init__(self, floor_mb: float = 0.0) -> None:
        self.peak_mb = floor_mb

    def sample(self) -> float:
        """Look once, and give the largest size seen so far."""
        self.peak_mb = max(self.peak_mb, _resident_mb())
        return self.peak_mb


def _resident_mb() -> float:
    if STATM.exists():
        pages = int(STATM.read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
