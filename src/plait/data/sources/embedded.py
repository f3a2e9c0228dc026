"""Photos embedded in a data set's rows: written once to the cache folder, under a name made of their content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from plait.data.assemble import Finder, file_finder
from plait.data.collection import Skip

__all__ = ["keep_embedded", "known_finder"]


def keep_embedded(cell: dict[str, Any] | None, folder: Path, known: dict[str, Path]) -> str:
    """Give a name to an embedded photo and see to it that it lies in a file."""
    cell = cell or {}
    path, data = cell.get("path"), cell.get("bytes")
    if not data:
        name = str(path or "no image")
        if path:
            known[name] = Path(path)
        return name
    digest = hashlib.sha256(data).hexdigest()[:24]
    # The file's own name is for people; the digest keeps two files of one name apart.
    name = f"{Path(path).stem}-{digest[:8]}" if path else digest
    if name not in known:
        target = folder / digest
        if not target.is_file() or target.stat().st_size != len(data):
            folder.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f".{digest}.{os.getpid()}.tmp")
            temporary.write_bytes(data)
            temporary.replace(target)
        known[name] = target
    return name


def known_finder(known: dict[str, Path], images: Path | None, where: str) -> Finder:
    """Give a `Finder` of photos by the names `keep_embedded` gave, and beside them in a folder."""
    beside = file_finder(images, where) if images is not None else None

    def find(name: str) -> Path | Any:
        if name in known:
            return known[name] if known[name].is_file() else Skip(name, "the image file is not on this disk")
        return beside(name) if beside is not None else Skip(name, "no such image; say in which folder the photos are")

    return find
