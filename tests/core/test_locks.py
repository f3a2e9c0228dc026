"""Locks between processes: one holder at a time on every system, freed when the holder is gone."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

import pytest

from plait.core import locks
from plait.core.locks import locked


class Msvcrt(ModuleType):
    """Windows' locks of bytes in files, as far as they are used: by file, not by handle."""

    LK_NBLCK, LK_UNLCK = 2, 0

    def __init__(self) -> None:
        super().__init__("msvcrt")
        self.held: dict[tuple[int, int], int] = {}
        self.calls: list[int] = []

    def locking(self, handle: int, mode: int, count: int) -> None:
        assert count == 1
        assert os.lseek(handle, 0, os.SEEK_CUR) == 0
        self.calls.append(mode)
        status = os.fstat(handle)
        file = (status.st_dev, status.st_ino)
        if mode == self.LK_UNLCK:
            del self.held[file]
        elif self.held.setdefault(file, handle) != handle:
            raise OSError(errno.EACCES, "Permission denied")


@pytest.fixture(params=["posix", "windows", "file"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Force each of the three ways to lock."""
    if request.param == "posix" and sys.platform == "win32":
        pytest.skip("no flock here")
    if request.param == "windows" and sys.platform != "win32":
        monkeypatch.setitem(sys.modules, "msvcrt", Msvcrt())
    system = {"posix": locks._POSIX, "windows": locks._WINDOWS, "file": None}[request.param]
    monkeypatch.setattr(locks, "_system_lock", lambda: system)
    return str(request.param)


def test_one_holder_at_a_time(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "lock"
    with locked(path) as first:
        assert first
        with locked(path, wait=False) as second:
            assert not second
        with locked(tmp_path / "other", wait=False) as other:
            assert other
    with locked(path, wait=False) as again:
        assert again


def test_the_other_waits_until_the_lock_is_free(tmp_path: Path, kind: str) -> None:
    path, order = tmp_path / "lock", []
    inside = threading.Event()

    def hold() -> None:
        with locked(path):
            inside.set()
            time.sleep(0.15)
            order.append("first")

    worker = threading.Thread(target=hold)
    worker.start()
    assert inside.wait(5)
    with locked(path) as mine:
        order.append("second")
    worker.join(5)
    assert mine
    assert order == ["first", "second"]


def test_the_lock_is_freed_by_an_error(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ValueError, match="inside"), locked(tmp_path / "lock"):
        raise ValueError("inside")
    with locked(tmp_path / "lock", wait=False) as mine:
        assert mine


def test_a_missing_folder_is_created(tmp_path: Path, kind: str) -> None:
    with locked(tmp_path / "new" / "deep" / "lock") as mine:
        assert mine


def test_a_file_system_without_locks_uses_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    none = locks._SystemLock(lambda handle: None, lambda handle: None)
    monkeypatch.setattr(locks, "_system_lock", lambda: none)
    with locked(tmp_path / "lock"):
        assert (tmp_path / "lock.held").exists()
        with locked(tmp_path / "lock", wait=False) as second:
            assert not second
    assert not (tmp_path / "lock.held").exists()


def test_a_file_that_was_removed_meanwhile_is_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, taken = tmp_path / "lock", []

    def take(handle: int) -> bool:
        taken.append(handle)
        if len(taken) == 1:
            path.unlink()
        return True

    monkeypatch.setattr(locks, "_system_lock", lambda: locks._SystemLock(take, lambda handle: None))
    with locked(path):
        assert len(taken) == 2
        assert path.exists()


class TestLockFiles:
    """The way for systems without locks."""

    @pytest.fixture(autouse=True)
    def _no_system_locks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(locks, "_system_lock", lambda: None)

    def test_a_stale_file_is_taken_over(self, tmp_path: Path) -> None:
        left = tmp_path / "lock.held"
        left.write_bytes(b"4711 killed")
        old = time.time() - 2 * locks._STALE_S
        os.utime(left, (old, old))
        with locked(tmp_path / "lock", wait=False) as mine:
            assert mine
            assert left.read_bytes() != b"4711 killed"
        assert list(tmp_path.iterdir()) == []

    def test_a_fresh_file_is_not(self, tmp_path: Path) -> None:
        (tmp_path / "lock.held").write_bytes(b"4711 at work")
        with locked(tmp_path / "lock", wait=False) as mine:
            assert not mine
        assert [path.name for path in tmp_path.iterdir()] == ["lock.held"]

    def test_the_holder_keeps_its_file_fresh(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(locks, "_RENEW_S", 0.02)
        with locked(tmp_path / "lock"):
            held = tmp_path / "lock.held"
            os.utime(held, (0, 0))
            deadline = time.monotonic() + 5
            while held.stat().st_mtime < 1 and time.monotonic() < deadline:
                time.sleep(0.01)
            assert held.stat().st_mtime > 1

    def test_a_holder_that_was_taken_for_gone_leaves_the_others_file(self, tmp_path: Path) -> None:
        with locked(tmp_path / "lock"):
            (tmp_path / "lock.held").write_bytes(b"4711 another holder")
        assert (tmp_path / "lock.held").read_bytes() == b"4711 another holder"

    def test_a_file_that_was_replaced_meanwhile_is_put_back(self, tmp_path: Path) -> None:
        held = tmp_path / "lock.held"
        held.write_bytes(b"4711 just taken")
        locks._remove_stale(held)
        assert held.read_bytes() == b"4711 just taken"
        assert list(tmp_path.iterdir()) == [held]

    def test_a_folder_without_permission_is_an_error(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> int:
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(locks.os, "open", refuse)
        with pytest.raises(PermissionError), locked(tmp_path / "lock", wait=False):
            pass


@pytest.mark.skipif(sys.platform == "win32", reason="kills a process by signal")
def test_the_system_frees_the_lock_of_a_killed_process(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from plait.core.locks import locked\n"
        "with locked(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with locked(tmp_path / "lock", wait=False) as mine:
        assert not mine
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with locked(tmp_path / "lock", wait=False) as mine:
        assert mine
