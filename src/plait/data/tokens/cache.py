"""The token cache: a frozen encoder's tokens of every item, computed once, stored on disk, read row by row.

A store is a folder named by the hash of its key: `key.json`, shards (see `shards`) and, written last, `index.json`.
If a builder is killed at any moment, its finished shards stay; the next builder checks them and keeps them.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from plait.core.errors import InputError, PlaitError, ShapeError, StorageError
from plait.core.files import replace_file
from plait.core.locks import locked
from plait.core.os_errors import has_advice, is_disk_full, os_sentence
from plait.core.types import Tokens
from plait.data.tokens.shards import open_shard, shard_is_intact, write_shard
from plait.data.tokens.store import TokenStore

__all__ = ["StoreInfo", "TokenStore", "build_store", "cache_root", "clear_stores", "list_stores", "open_store"]


def cache_root() -> Path:
    """Give the folder of all caches: $PLAIT_CACHE, else $XDG_CACHE_HOME/plait, else ~/.cache/plait."""
    if given := os.environ.get("PLAIT_CACHE"):
        return Path(given).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "plait"


@dataclass(frozen=True)
class StoreInfo:
    """What `plait cache` shows of a store.

    Fields:
        id:         the folder's name, the hash of the key
        path:       the folder
        key:        what it was built from
        items:      how many items it holds when complete
        size_bytes: on disk
        complete:   False while it is being built, and if that was interrupted
        used_s:     when it was last opened, seconds since 1970
    """

    id: str
    path: Path
    key: dict[str, str]
    items: int
    size_bytes: int
    complete: bool
    used_s: float


def build_store(
    root: Path,
    key: Mapping[str, str],
    items: Sequence[Any],
    encode: Callable[[list[Any]], Tokens],
    *,
    shard_items: int = 256,
    size_of: Callable[[Any], int] | None = None,
    names: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TokenStore:
    """Open the store of this key; compute first what is missing.

    If a finished store of the same encoder holds all these items among others, by their names, that one is read: a part
    of a data set that was encoded as a whole is not encoded again. If two processes build the same store, one works,
    and the other waits and then opens it.

    Arguments:
        root:        folder of all stores, such as `cache_root()`
        key:         everything the tokens depend on: content fingerprint, encoder identity, preprocessing, view
        items:       what `encode` takes; row i of the store belongs to items[i]
        encode:      gives the tokens of up to `shard_items` items, one row per item, on any device and of any float
                     type; it may encode them in smaller batches. Called without gradients.
        shard_items: items per file; the same key with another number rebuilds shards that are not complete
        size_of:     an item's length, where it varies (words of a text): items of similar length are then encoded
                     together, which saves padding. Rows are stored under their own number either way.
        names:       a name for each item, by content: equal names have equal tokens. Without names nothing is shared
                     with stores of other data.
        progress:    called with (items done, items in total)

    Raises:
        StorageError: the disk is full or not writable; finished shards are kept, and the next call continues.
        InputError: no items; `encode` gave values that are not finite; or the key belongs to another number of items.
        ShapeError: `encode` gave tokens that do not fit its items, or change width or grid on the way.
    """
    if not len(items):
        raise InputError("there is nothing to encode: expected at least one image or caption")
    store = open_store(root, key)
    if store is None and names is not None:
        store = _within_another(root, key, names)
    if store is not None:
        if progress:
            progress(len(store), len(items))
        return _of_size(store, len(items))
    folder = _folder(root, key)
    order = sorted(range(len(items)), key=lambda i: size_of(items[i])) if size_of else list(range(len(items)))
    parts = [order[first : first + shard_items] for first in range(0, len(order), shard_items)]
    with _writing(folder, parts), locked(folder / "lock"):
        if (store := open_store(root, key)) is None:  # another process may have finished it meanwhile
            header = {"key": dict(key), "items": len(items)}
            replace_file(folder / "key.json", json.dumps(header, indent=1, sort_keys=True).encode())
            if names is not None:
                replace_file(folder / "names.json", json.dumps(list(names)).encode())
            _build_shards(folder, parts, items, encode, progress)
            index = {"items": len(items), "shards": [[p.name, p.stat().st_size] for p in _paths(folder, len(parts))]}
            replace_file(folder / "index.json", json.dumps(index).encode())
            store = open_store(root, key)
    if store is None:
        raise StorageError(f"token cache {folder}: cannot be read back after it was written; the disk may be failing")
    return _of_size(store, len(items))


def open_store(root: Path, key: Mapping[str, str]) -> TokenStore | None:
    """Open a complete store, or give None. Sizes of files are checked; contents were checked when it was built."""
    folder = _folder(root, key)
    index = _read_json(folder / "index.json")
    try:
        names = [folder / str(name) for name, size in index["shards"] if (folder / name).stat().st_size == size]
        if len(names) != len(index["shards"]):
            return None
    except (KeyError, TypeError, ValueError, OSError):
        return None
    shards = [shard for name in names if (shard := open_shard(name)) is not None]
    if len(shards) != len(names) or sum(len(shard.items) for shard in shards) != index["items"]:
        return None
    with contextlib.suppress(OSError):  # a read-only cache is still a cache
        os.utime(folder / "key.json")
    return TokenStore(folder, shards)


def _within_another(root: Path, key: Mapping[str, str], names: Sequence[str]) -> TokenStore | None:
    """Give these items from a finished store whose key differs only in the data, or None."""
    for info in list_stores(root):
        if not info.complete or info.items < len(names) or {**info.key, "data": ""} != {**key, "data": ""}:
            continue
        with contextlib.suppress(OSError, ValueError):
            row = {name: i for i, name in enumerate(json.loads((info.path / "names.json").read_bytes()))}
            rows = [row.get(name, -1) for name in names]
            if min(rows) >= 0 and (store := open_store(root, info.key)) is not None:
                return store.subset(rows)
    return None


def list_stores(root: Path) -> list[StoreInfo]:
    """Describe every store under `root`, the most recently used first."""
    found = []
    for folder in sorted((root / "tokens").glob("*")):
        header = _read_json(folder / "key.json")
        if not folder.is_dir() or "key" not in header:
            continue
        size_bytes, complete = 0, _read_json(folder / "index.json") != {}
        with contextlib.suppress(OSError):  # files may vanish while another process clears
            size_bytes = sum(file.stat().st_size for file in folder.iterdir())
            used_s = (folder / "key.json").stat().st_mtime
            found.append(
                StoreInfo(folder.name, folder, header["key"], int(header["items"]), size_bytes, complete, used_s)
            )
    return sorted(found, key=lambda info: -info.used_s)


def clear_stores(
    root: Path, *, everything: bool = False, older_s: float | None = None, name: str = ""
) -> list[StoreInfo]:
    """Remove stores and give what was removed. One that is being built stays.

    Arguments:
        root:       folder of all stores
        everything: remove all
        older_s:    remove those not opened for this many seconds
        name:       remove those whose id begins with this, or that have it as a value of their key

    Raises:
        InputError: nothing was chosen.
        StorageError: a store cannot be removed.
    """
    if not everything and older_s is None and not name:
        raise InputError("nothing to clear was named: give a store, an age, or everything")
    removed = []
    for info in list_stores(root):
        too_old = older_s is not None and time.time() - info.used_s > older_s
        named = bool(name) and (info.id.startswith(name) or name in info.key.values())
        if not (everything or too_old or named):
            continue
        try:
            with locked(info.path / "lock", wait=False) as is_mine:
                if is_mine:
                    (info.path / "index.json").unlink(missing_ok=True)  # first, so that no half store looks complete
                    shutil.rmtree(info.path, ignore_errors=True)
                    removed.append(info)
        except OSError as error:
            raise StorageError(f"token cache {info.path}: not removed ({os_sentence(error, 'write')})") from error
    return removed


def _folder(root: Path, key: Mapping[str, str]) -> Path:
    text = json.dumps(dict(key), sort_keys=True, ensure_ascii=True)
    return root / "tokens" / hashlib.sha256(text.encode()).hexdigest()[:32]


def _paths(folder: Path, count: int) -> list[Path]:
    return [folder / f"shard-{number:05d}.safetensors" for number in range(count)]


def _of_size(store: TokenStore, items: int) -> TokenStore:
    if len(store) != items:
        raise InputError(f"token cache {store.path}: holds {len(store)} items for a key that now has {items}")
    return store


def _build_shards(
    folder: Path,
    parts: list[list[int]],
    items: Sequence[Any],
    encode: Callable[[list[Any]], Tokens],
    progress: Callable[[int, int], None] | None,
) -> None:
    for stray in folder.glob(".*.tmp"):  # of a builder that was killed; the holder of the lock is the only one
        stray.unlink(missing_ok=True)
    done, shape = 0, None
    for part, path in zip(parts, _paths(folder, len(parts)), strict=True):
        if not shard_is_intact(path, part):
            with torch.inference_mode():
                tokens = encode([items[i] for i in part])
            size = write_shard(path, tokens, part)
            need = sum(size for later in _paths(folder, len(parts)) if not later.exists())
            if shutil.disk_usage(folder).free < need:  # before minutes of encoding, not after
                raise OSError(errno.ENOSPC, "not enough room for the shards that follow")
        shard = open_shard(path)
        if shard is None:
            raise StorageError(f"token cache {path}: cannot be read back after it was written; the disk may be failing")
        form = (
            shard.values.shape[1],
            None if shard.pooled is None else shard.pooled.shape[1],
            shard.grid,
            shard.boxes is None,
            tuple((grid, level.shape[2]) for grid, level in zip(shard.level_grids, shard.levels, strict=True)),
        )
        shape = shape or form
        if form != shape:
            path.unlink()
            raise ShapeError(
                f"the encoder changed (width, pooled width, grid, no boxes, levels) from {shape} to {form}"
            )
        done += len(part)
        if progress:
            progress(done, len(items))


@contextlib.contextmanager
def _writing(folder: Path, parts: list[list[int]]) -> Iterator[None]:
    """Create the folder, and turn errors of the file system into a `StorageError`; of a full disk, with sizes."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except PlaitError:
        raise
    except OSError as error:
        if is_disk_full(error):
            sizes = [path.stat().st_size for path in _paths(folder, len(parts)) if path.is_file()]
            need = (
                f"about {sum(sizes) / len(sizes) * (len(parts) - len(sizes)) / 1e6:,.0f} MB more" if sizes else "more"
            )
            free = shutil.disk_usage(folder).free / 1e6
            raise StorageError(
                f"token cache {folder}: the disk is full: {need} needed, {free:,.0f} MB free. {len(sizes)} of "
                f"{len(parts)} shards are finished and kept. Free some space (`plait cache clear`) or set PLAIT_CACHE "
                "to a folder on another disk, then run the same command again"
            ) from error
        if not has_advice(error):  # not about files: whatever `encode` or `progress` raised
            raise
        why = os_sentence(error, "write")
        raise StorageError(
            f"token cache {folder}: cannot be written: {why} (PLAIT_CACHE names the cache's folder)"
        ) from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
