"""A lock between processes that is freed when its holder ends, on every system.

POSIX has `flock`, Windows `msvcrt.locking`. Some network drives have neither; there a file that only one process can
create is the lock, and its holder renews the file's time, so that others can tell when the holder is gone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["locked"]

_POLL_S = 0.05
# The holder of a lock file renews its time so often; a file older than the limit was left by a process that was killed.
_RENEW_S = 2.0
_STALE_S = 30.0
_LOOK_FOR_STALE_S = 1.0


class _SystemLock(NamedTuple):
    """Locks of open files.

    Fields:
        take: without waiting; True = taken, False = another process has it, None = this file system has no such locks
        free: give it back, before the file is closed
    """

    take: Callable[[int], bool | None]
    free: Callable[[int], None]


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of this name; gives False where another holder has it and `wait` is off, else True.

    The lock is freed at the end of the block; if the process is killed, by the system or after half a minute. The
    folder of `path` is created where it is missing. The file stays behind; it means nothing while nobody holds its
    lock.

    Arguments:
        path: the lock's file
        wait: until the lock is free
    Raises:
        OSError: the file cannot be created.
    """
    system = _system_lock()
    handle = None if system is None else _take(path, system, wait=wait)
    if system is None or handle is None:
        with _exclusive_file(path.with_name(path.name + ".held"), wait=wait) as is_mine:
            yield is_mine
    elif handle < 0:
        yield False
    else:
        try:
            yield True
        finally:
            with contextlib.suppress(OSError):
                system.free(handle)
            os.close(handle)


def _system_lock() -> _SystemLock | None:
    if sys.platform == "win32":
        return _WINDOWS
    try:
        import fcntl  # noqa: F401
    except ImportError:
        return None
    return _POSIX


def _take_posix(handle: int) -> bool | None:
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _free_posix(handle: int) -> None:
    import fcntl

    fcntl.flock(handle, fcntl.LOCK_UN)


def _take_windows(handle: int) -> bool | None:
    import msvcrt

    try:
        os.lseek(handle, 0, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except OSError as error:
        return False if error.errno in (errno.EACCES, errno.EDEADLK) else None
    return True


def _free_windows(handle: int) -> None:
    import msvcrt

    os.lseek(handle, 0, os.SEEK_SET)
    msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined]


_POSIX = _SystemLock(_take_posix, _free_posix)
_WINDOWS = _SystemLock(_take_windows, _free_windows)


def _take(path: Path, system: _SystemLock, *, wait: bool) -> int | None:
    """Give the locked file's handle, -1 where another holder has it, or None where there are no such locks."""
    while True:
        handle = _open(path, os.O_RDWR | os.O_CREAT)
        taken = system.take(handle)
        if taken and _is_same(path, handle):
            return handle
        os.close(handle)
        if taken is None:
            return None
        if not taken:
            if not wait:
                return -1
            time.sleep(_POLL_S)
        # Else the file was removed while this process waited, and its lock means nothing: once more.


def _open(path: Path, flags: int) -> int:
    """Open a file; its folder is created where it is missing, or removed by another process meanwhile."""
    for _ in range(10):
        try:
            return os.open(path, flags, 0o644)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, flags, 0o644)


def _is_same(path: Path, handle: int) -> bool:
    """Tell whether a path still leads to the file that was opened."""
    try:
        now = path.stat()
    except OSError:
        return False
    opened = os.fstat(handle)
    return (now.st_ino, now.st_dev) == (opened.st_ino, opened.st_dev)


@contextlib.contextmanager
def _exclusive_file(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a lock by having created the file; renew its time meanwhile, and remove it at the end."""
    token = f"{os.getpid()} {uuid.uuid4().hex}".encode()
    looked_at = -_LOOK_FOR_STALE_S
    while not _create(path, token):
        if time.monotonic() - looked_at >= _LOOK_FOR_STALE_S:
            looked_at = time.monotonic()
            if _is_stale(path):
                _remove_stale(path)
                continue
        if not wait:
            yield False
            return
        time.sleep(_POLL_S)
    stop = threading.Event()
    renewing = threading.Thread(target=_renew, args=(path, stop), daemon=True)
    renewing.start()
    try:
        yield True
    finally:
        stop.set()
        renewing.join()
        with contextlib.suppress(OSError):
            if path.read_bytes() == token:  # else it was taken for stale, and another holder has it now
                path.unlink()


def _create(path: Path, token: bytes) -> bool:
    try:
        handle = _open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        return False
    except PermissionError:
        if path.exists():  # Windows says so of a file that is being removed
            return False
        raise
    with os.fdopen(handle, "wb") as file:
        file.write(token)
    return True


def _is_stale(path: Path) -> bool:
    """Compare a file's time with that of a new one: a network drive's clock need not be this machine's."""
    probe = path.with_name(f"{path.name}.{uuid.uuid4().hex}.now")
    try:
        probe.touch()
        return probe.stat().st_mtime - path.stat().st_mtime > _STALE_S
    except OSError:
        return False
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()


def _remove_stale(path: Path) -> None:
    """Remove a stale file; of several processes that find it, the rename lets one do so.

    If another process replaced it since it was read, its file is put back.
    """
    aside = path.with_name(f"{path.name}.{uuid.uuid4().hex}.stale")
    with contextlib.suppress(OSError):
        os.replace(path, aside)
        if _is_stale(aside):
            aside.unlink()
        else:
            os.replace(aside, path)


def _renew(path: Path, stop: threading.Event) -> None:
    while not stop.wait(_RENEW_S):
        with contextlib.suppress(OSError):
            os.utime(path)
