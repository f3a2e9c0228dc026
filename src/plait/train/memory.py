"""How much memory the process holds while it trains."""

from __future__ import annotations

import ctypes
import os
import sys
from ctypes import wintypes
from pathlib import Path
from typing import Any

__all__ = ["PeakMemory"]

STATM = Path("/proc/self/statm")
MIB = 2**20


class PeakMemory:
    """The largest resident size of the process seen at its samples, in MiB.

    Linux and Windows report the present size. Elsewhere (macOS) the system reports the largest size since the process
    began, which earlier work in the same process may have set.
    """

    def __init__(self, floor_mb: float = 0.0) -> None:
        self.peak_mb = floor_mb

    def sample(self) -> float:
        """Measure once, and give the largest size seen so far."""
        self.peak_mb = max(self.peak_mb, _resident_mb())
        return self.peak_mb


def _resident_mb() -> float:
    if STATM.exists():
        pages = int(STATM.read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / MIB
    if sys.platform == "win32":
        return _working_set_mb(ctypes.WinDLL("kernel32"))
    import resource  # does not exist on Windows

    unit = MIB if sys.platform == "darwin" else 2**10  # bytes on macOS, KiB on other systems
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


class _MemoryCounters(ctypes.Structure):
    """PROCESS_MEMORY_COUNTERS of the Windows API."""

    _fields_ = (
        ("cb", wintypes.DWORD),
        ("PageFaultCount", wintypes.DWORD),
        ("PeakWorkingSetSize", ctypes.c_size_t),
        ("WorkingSetSize", ctypes.c_size_t),
        ("QuotaPeakPagedPoolUsage", ctypes.c_size_t),
        ("QuotaPagedPoolUsage", ctypes.c_size_t),
        ("QuotaPeakNonPagedPoolUsage", ctypes.c_size_t),
        ("QuotaNonPagedPoolUsage", ctypes.c_size_t),
        ("PagefileUsage", ctypes.c_size_t),
        ("PeakPagefileUsage", ctypes.c_size_t),
    )


def _working_set_mb(kernel: Any) -> float:
    """Ask kernel32 for the resident size of this process; 0 where it fails, since a figure is no reason to stop."""
    counters = _MemoryCounters()
    counters.cb = ctypes.sizeof(counters)
    kernel.GetCurrentProcess.restype = wintypes.HANDLE
    measure = kernel.K32GetProcessMemoryInfo
    measure.argtypes = (wintypes.HANDLE, ctypes.POINTER(_MemoryCounters), wintypes.DWORD)
    measure.restype = wintypes.BOOL
    if not measure(kernel.GetCurrentProcess(), ctypes.byref(counters), counters.cb):
        return 0.0
    return float(counters.WorkingSetSize) / MIB
