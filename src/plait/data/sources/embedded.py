"""Images embedded in a data set's rows: written once to the cache folder, under a name made of their content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from plait.core.errors import StorageError
from plait.core.os_errors import os_sentence
from plait.data.collection import Skip
from plait.data.finder import Finder, file_finder

__all__ = ["keep_embedded", "known_finder"]


def keep_embedded(cell: dict[str, Any] | None, folder: Path, known: dict[str, Path]) -> str:
    """Give a name to an embedded image and write it to a file where that is not done yet.

    Arguments:
        cell:   "bytes" and "path" of the image
        folder: where files are written
        known:  name -> file, which gets the new name
    Raises:
        StorageError: the file cannot be written.
    """
    cell = cell or {}
    path, data = cell.get("path"), cell.get("bytes")
    if not data:
        name = str(path or "no image")
        if path:
            known[name] = Path(path)
        return name
    digest = hashlib.sha256(data).hexdigest()[:24]
    # The file's own name is for readers; the digest distinguishes two files of one name.
    name = f"{Path(path).stem}-{digest[:8]}" if path else digest
    if name not in known:
        target = folder / digest
        if not target.is_file() or target.stat().st_size != len(data):
            _write(target, data)
        known[name] = target
    return name


def _write(target: Path, data: bytes) -> None:
    # Not forced to disk, as `write_bytes` does: there are thousands, and one that is lost is written again.
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(target)
    except OSError as error:
        why = os_sentence(error, "write")
        raise StorageError(
            f"{target}: an image of the data set could not be written: {why} (PLAIT_CACHE names the cache's folder)"
        ) from error


def known_finder(known: dict[str, Path], images: Path | None, where: str) -> Finder:
    """Give a `Finder` of images by the names that `keep_embedded` gave, and of others in a folder."""
    beside = file_finder(images, where) if images is not None else None

    def find(name: str) -> Path | Any:
        if name in known:
            return known[name] if known[name].is_file() else Skip(name, "the image file is not on this disk")
        return beside(name) if beside is not None else Skip(name, "no such image; say in which folder the images are")

    return find
