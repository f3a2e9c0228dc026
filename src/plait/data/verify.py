"""Decode every image and mask once, completely, before anything is computed from it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from plait.core.errors import InputError, StorageError, shown
from plait.core.files import write_bytes
from plait.data.collection import Collection, Photo, Skip, keep_photos
from plait.data.image_files import check_photo
from plait.data.masks.verify import verify_masks

__all__ = ["verify_photos"]


def verify_photos(
    collection: Collection, progress: Callable[[int, int], None] | None = None, *, root: Path | None = None
) -> Collection:
    """Give the collection without the images that cannot be decoded completely; each is listed as a `Skip`.

    Where captions have masks, `verify_masks` checks those as well.

    Arguments:
        collection: what to check; images in memory are taken as they are
        progress: called with (images done, images in total)
        root: folder of the caches: the outcome is kept there by the images' content, so that the next time
            costs only reading the files; None = keep nothing

    Raises:
        InputError: a split has fewer than 2 images left; or what `verify_masks` raises.
    """
    if not isinstance(collection, Collection):
        raise InputError(f"expected a collection, as `open_data` gives it, got {shown(collection)}")
    readable, bad = [], {}
    for index, photo in enumerate(collection.photos):
        try:
            readable.append((index, photo.digest))
        except InputError as error:
            bad[index] = str(error)
    folder = None if root is None else root / "verified"
    wanted = [index for index, _ in readable if isinstance(collection.photos[index].source, Path)]
    found = _load(folder, collection) if not bad else None
    if found is None:
        found = _check(collection.photos, wanted, progress)
        if folder is not None and not bad:
            with suppress(StorageError):  # a cache that cannot be written only costs time
                write_bytes(folder / f"{collection.photos_fingerprint}.json", json.dumps(found).encode())
    elif progress:
        progress(len(wanted), len(wanted))
    bad |= found
    if not bad:
        return verify_masks(collection, progress, root=root)
    kept = [index for index in range(len(collection.photos)) if index not in bad]
    skipped = [Skip(collection.photos[index].id, reason) for index, reason in sorted(bad.items())]
    return verify_masks(keep_photos(collection, kept, skipped=skipped).check_splits(), progress, root=root)


def _check(photos: tuple[Photo, ...], wanted: list[int], progress: Callable[[int, int], None] | None) -> dict[int, str]:
    bad = {}
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        reasons = pool.map(lambda index: check_photo(photos[index].source), wanted)
        for done, (index, reason) in enumerate(zip(wanted, reasons, strict=True), start=1):
            if reason is not None:
                bad[index] = reason
            if progress and (done % 100 == 0 or done == len(wanted)):
                progress(done, len(wanted))
    return bad


def _load(folder: Path | None, collection: Collection) -> dict[int, str] | None:
    if folder is None:
        return None
    try:
        data = json.loads((folder / f"{collection.photos_fingerprint}.json").read_bytes())
        return {int(index): str(reason) for index, reason in data.items()}
    except (OSError, ValueError, AttributeError):
        return None
