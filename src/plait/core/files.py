"""Files replaced in one rename: if a process is killed at any moment, a file is the old one or the new one."""

from __future__ import annotations

import json
import os
import sys
import uuid
from pathlib import Path
from typing import Any

from plait.core.errors import CheckpointError, StorageError
from plait.core.os_errors import os_sentence

__all__ = ["read_json", "replace_file", "write_bytes", "write_json"]


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
