"""Files replaced in one rename: whatever moment a process is killed at, a file is the old one or the new one."""

from __future__ import annotations

import json
import os
import sys
import uuid
from pathlib import Path
from typing import Any

from plait.core.errors import CheckpointError, StorageError

__all__ = ["read_json", "replace_file", "write_bytes", "write_json"]


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, whatever happens and whoever else writes it.

    Raises:
        OSError: as the system gives it; the old file, if any, is untouched and nothing is left lying beside it.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if sys.platform != "win32":  # the new name must outlive a power cut as well
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file's content in one step; folders on the way are made.

    Raises:
        StorageError: the disk is full or not writable; the old file, if any, is untouched.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
    except OSError as error:
        raise StorageError(
            f"{path}: could not write {len(content):,} bytes ({error.strerror or error}); free some space or choose "
            "another folder, then run the same command: it goes on from the last checkpoint"
        ) from error


def write_json(path: Path, data: Any) -> None:
    """Replace a JSON file in one step. NaN is refused: it is not JSON, and a figure that is NaN is a bug."""
    write_bytes(path, (json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        CheckpointError: missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file; expected a folder that `plait fit` or `compare` wrote") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: not valid JSON ({error}); the file is damaged, fit the run again") from None
