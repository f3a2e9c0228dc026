"""Look at every photo and mask once, to its last byte, before anything is computed from it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from plait.core.errors import InputError
from plait.core.files import write_bytes
from plait.data.collection import Collection, Photo, Skip, keep_photos
from plait.data.images import check_photo
from plait.data.masks.verify import verify_masks

__all__ = ["verify_photos"]


def verify_photos(
    collection: Collection, progress: Callable[[int, int], None] | None = None, *, root: Path | None = None
) -> Collection:
    """Give the collection without the photos that cannot be decoded to their end; each is listed as a `Skip`.

    Where captions have masks, `verify_masks` looks at those as well.

    Args:
        collection: what to check; photos in memory are taken as they are
        progress: called with (photos done, photos in all)
        root: folder of the caches: the outcome is remembered there by the photos' content, so that a second look
            costs only reading the files; None = remember nothing

    Raises:
        InputError: a split has fewer than 2 photos left; or what `verify_masks` raises.
    """
    readable, bad = [], {}
    for index, photo in enumerate(collection.photos):
        try:
            readable.append((index, photo.digest))
        except InputError as error:
            bad[index] = str(error)
    memory = None if root is None else root / "verified"
    wanted = [index for index, _ in readable if isinstance(collection.photos[index].source, Path)]
    told = _remembered(memory, collection) if not bad else None
    if told is None:
        told = _look(collection.photos, wanted, progress)
        if memory is not None and not bad:
            write_bytes(memory / f"{collection.photos_fingerprint}.json", json.dumps(told).encode())
    elif progress:
        progress(len(wanted), len(wanted))
    bad |= told
    if not bad:
        return verify_masks(collection, progress, root=root)
    kept = [index for index in range(len(collection.photos)) if index not in bad]
    skipped = [Skip(collection.photos[index].id, reason) for index, reason in sorted(bad.items())]
    return verify_masks(keep_photos(collection, kept, skipped=skipped).check_splits(), progress, root=root)


def _look(photos: tuple[Photo, ...], wanted: list[int], progress: Callable[[int, int], None] | None) -> dict[int, str]:
    bad = {}
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        reasons = pool.map(lambda index: check_photo(photos[index].source), wanted)
        for done, (index, reason) in enumerate(zip(wanted, reasons, strict=True), start=1):
            if reason is not None:
                bad[index] = reason
            if progress and (done % 100 == 0 or done == len(wanted)):
                progress(done, len(wanted))
    return bad


def _remembered(memory: Path | None, collection: Collection) -> dict[int, str] | None:
    if memory is None:
        return None
    try:
        data = json.loads((memory / f"{collection.photos_fingerprint}.json").read_bytes())
        return {int(index): str(reason) for index, reason in data.items()}
    except (OSError, ValueError, AttributeError):
        return None
