"""The verbs about data: open, check and verify a data set, and the cache of its tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plait.core.errors import ConfigError
from plait.core.files import write_json
from plait.data.collection import Collection
from plait.data.describe import cache_facts, describe
from plait.data.open import open_collection
from plait.data.tokens.cache import cache_root, clear_stores
from plait.data.verify import verify_photos
from plait.doctor.check import check_data as check_material
from plait.doctor.fix import clean_data
from plait.report.check import check_thumbnails, write_check
from plait.train.events import Event, Listener, silent

__all__ = ["check_data", "clear_cache", "describe", "open_data", "show_cache", "verify"]


def open_data(
    where: str | Path | Collection, *, limit: int | None = None, images: Path | None = None, seed: int = 0
) -> Collection:
    """Open a data set: a folder, a CSV/JSONL/JSON file, "hub:NAME" or "scenes[:COUNT]"; see `plait.data.open`.

    Args:
        limit:  only the first so many images of each split
        images: the images' folder, where the file does not lie beside it
        seed:   of the split, where the data brings none, and of `scenes`
    """
    if isinstance(where, Collection):
        return where if limit is None else where.limit(limit)
    return open_collection(where, images=images, limit=limit, seed=seed)


def verify(collection: Collection, *, cache: Path | None = None, listener: Listener = silent) -> Collection:
    """Decode every image; leave out, and list, those that cannot be read.

    `fit`, `evaluate` and `compare` do so first. The outcome is remembered in the cache by the images' content.
    """
    return verify_photos(
        collection,
        root=cache or cache_root(),
        progress=lambda done, total: listener(Event("verify", "photos", done, total)),
    )


def check_data(
    data: str | Path,
    *,
    images: Path | None = None,
    fix: str | Path | None = None,
    out: str | Path | None = None,
    cache: Path | None = None,
    listener: Listener = silent,
) -> dict[str, Any]:
    """Look for what is wrong with a data set: damaged and double images, leaks between splits, captions, masks.

    Args:
        data:   a folder (captions, masks, questions or labels beside images/), a file of captions, "hub:NAME", "scenes"
        images: the images' folder, where it is not beside the captions
        fix:    write a cleaned list of captions and splits into this folder (see `plait.doctor.fix`)
        out:    write check.html and check.json into this folder
    Returns: see `plait.doctor.check.Checkup.to_json`; with `fix` also "fixed", with `out` also "page".
    Raises:
        InputError: there is nothing to check, or `fix` would write where the originals are.
        StorageError: a result cannot be written.
    """
    found = check_material(
        data,
        images=images,
        root=cache or cache_root(),
        progress=lambda what, done, total: listener(Event("verify", what, done, total)),
    )
    result = found.to_json()
    if fix is not None:
        result["fixed"] = clean_data(found, Path(fix))
    if out is not None:
        write_json(Path(out) / "check.json", result)
        thumbnails = check_thumbnails(result, found.material.photos)
        result["page"] = str(write_check(result, thumbnails, Path(out) / "check.html"))
    return result


def show_cache() -> dict[str, Any]:
    """List the cached tokens on this machine."""
    return cache_facts(cache_root())


def clear_cache(name: str | None = None) -> dict[str, Any]:
    """Remove cached tokens: all, or the entry of one name. They are made again when they are next needed.

    Raises:
        ConfigError: there is no entry of that name.
    """
    root = cache_root()
    removed = clear_stores(root, everything=name is None, name=name or "")
    if name is not None and not removed:
        raise ConfigError(f"{root}: no entry {name!r}; `plait cache` shows the names")
    return {"root": str(root), "entries": len(removed), "bytes": sum(info.size_bytes for info in removed)}
