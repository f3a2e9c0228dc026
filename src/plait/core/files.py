"""Files replaced in one rename: if a process is killed at any moment, a file is the old one or the new one."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from plait.core.errors import CheckpointError, StorageError
from plait.core.os_errors import os_sentence

__all__ = ["read_json", "remove_leftovers", "replace_file", "write_bytes", "write_json"]

# What `replace_file` writes before the rename: today ".PID.HEX.tmp"; earlier versions put the file's own name first.
_TEMPORARY = re.compile(r"\.(?:.+\.)?(\d+)\.[0-9a-f]{32}\.tmp")
# A process of that number may be another one by now, or one of another machine: no file takes this long to write.
_STALE_S = 600.0
_BEGAN = time.time()


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that it is complete or absent, whatever happens and whichever other process writes it.

    Raises:
        OSError: as the system gives it; the old file, if any, is unchanged and no temporary file is left.
    """
    # Without the file's own name, which may be as long as the file system allows.
    temporary = path.with_name(f".{os.getpid()}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if sys.platform != "win32":  # the new name must survive a power cut as well
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove the unfinished files of processes that were killed while they wrote into a folder, and give their paths.

    Files of a process that still runs are left to it, for ten minutes. What cannot be removed stays.
    """
    removed = []
    for path in sorted(folder.glob(".*.tmp")):
        found = _TEMPORARY.fullmatch(path.name)
        if found is None:
            continue
        with contextlib.suppress(OSError):
            written = path.stat().st_mtime
            if time.time() - written > _STALE_S or not _is_writing(int(found[1]), written):
                path.unlink()
                removed.append(path)
    return removed


def _is_writing(pid: int, written: float) -> bool:
    """Tell whether the process that wrote a file may still be at it; where that cannot be asked, it may."""
    if pid == os.getpid():  # in a container, each start may have the number of the one before
        return written >= _BEGAN
    if sys.platform == "win32":  # there os.kill ends the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file's content in one step; missing folders are created.

    Raises:
        StorageError: the file cannot be written; the message says why and what to do. The old file, if any, is
            unchanged.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
    except OSError as error:
        why = os_sentence(error, "write")
        raise StorageError(
            f"{path}: could not write {len(content):,} bytes: {why}; then run the same command again"
        ) from error


def write_json(path: Path, data: Any) -> None:
    """Replace a JSON file in one step. NaN is refused: it is not JSON, and a figure that is NaN is a bug."""
    # A file name that is not UTF-8 holds lone surrogates; "backslashreplace" writes them as JSON's own escapes.
    text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        CheckpointError: missing, unreadable or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if path.is_symlink():
            raise CheckpointError(f"{path}: a link to {path.readlink()}, which does not exist; remove it") from None
        raise CheckpointError(f"{path}: no such file; expected a folder that `plait fit` or `compare` wrote") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {os_sentence(error)}") from error
    except (ValueError, RecursionError) as error:  # also what is not UTF-8, and brackets without end
        raise CheckpointError(f"{path}: not valid JSON ({error}); the file is damaged, fit the run again") from None
