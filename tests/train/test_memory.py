"""Memory of the process: on Linux, on Windows and where only a high-water mark is known."""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from plait.train import memory
from plait.train.memory import PeakMemory


def test_memory_is_the_largest_size_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter([100.0, 300.0, 200.0])
    monkeypatch.setattr(memory, "_resident_mb", lambda: next(sizes))
    peak = PeakMemory(150.0)
    assert [peak.sample() for _ in range(3)] == [150.0, 300.0, 300.0]


def test_this_system_reports_a_size_in_mebibytes() -> None:
    assert 20 < PeakMemory().sample() < 100_000


@pytest.mark.parametrize(("platform", "scale"), [("linux", 2**10), ("darwin", 2**20)])
def test_without_proc_the_high_water_mark_is_taken_in_the_systems_unit(
    platform: str, scale: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(memory, "STATM", Path("/no/such/file"))
    monkeypatch.setattr(memory, "sys", SimpleNamespace(platform=platform))
    monkeypatch.setattr(resource, "getrusage", lambda who: SimpleNamespace(ru_maxrss=300 * scale))
    assert PeakMemory().sample() == 300.0


class Kernel:
    """Stands for kernel32: a process of 256 MiB, or a call that fails."""

    def __init__(self, works: bool) -> None:
        self.works = works
        self.GetCurrentProcess = self._method(lambda: -1)
        self.K32GetProcessMemoryInfo = self._method(self._measure)

    def _method(self, function: Any) -> Any:
        def call(*given: Any) -> Any:
            return function(*given)

        return call

    def _measure(self, process: Any, counters: Any, size: int) -> int:
        found = counters._obj
        assert size == found.cb == ctypes.sizeof(found)
        found.WorkingSetSize = 256 * 2**20
        return int(self.works)


@pytest.mark.parametrize(("works", "wanted"), [(True, 256.0), (False, 0.0)])
def test_windows_is_asked_through_its_own_interface(
    works: bool, wanted: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "STATM", Path("/no/such/file"))
    monkeypatch.setattr(memory, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setattr(memory.ctypes, "WinDLL", lambda name: Kernel(works), raising=False)
    assert PeakMemory().sample() == wanted


def test_nothing_is_imported_that_windows_lacks() -> None:
    assert not any(line.startswith("import resource") for line in Path(memory.__file__).read_text().splitlines())
