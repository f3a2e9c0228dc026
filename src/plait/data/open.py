"""One door to all data sets: `open_collection` looks at what it is given and picks the reader that fits."""

from __future__ import annotations

from pathlib import Path

from plait.core.errors import InputError, nearest
from plait.core.tables import load_entry
from plait.data.assemble import SplitMaking
from plait.data.collection import Collection
from plait.data.sources import SOURCES
from plait.data.sources.coco import is_coco

__all__ = ["SCENES_COUNT", "open_collection", "source_of"]

# Scenes generated where no number is given: enough to learn binding from, made in seconds.
SCENES_COUNT = 2400


def open_collection(
    where: str | Path,
    *,
    images: Path | None = None,
    limit: int | None = None,
    seed: int = 0,
    val_frac: float = 0.1,
    test_frac: float = 0.1,
) -> Collection:
    """Open a data set: a folder, a file, "hub:NAME", "scenes" or "scenes:COUNT". No photo is decoded.

    Args:
        where: what to open; `plait list sources` shows the forms
        images: folder of the photos, where it is not beside the captions
        limit: keep the first photos of every split, at least 2
        seed: of made splits and of scenes
        val_frac: part of the photos that goes to "val" where splits are made
        test_frac: part that goes to "test", 0 = none

    Raises:
        InputError: nothing is there, or it cannot be read; the message names the file, row or key.
        OfflineError: a hub data set is wanted and there is no network.
        MissingPackageError: a hub data set is wanted and the `datasets` package is not installed.
    """
    making = SplitMaking(seed, val_frac, test_frac)
    source = source_of(where)
    reader = load_entry(SOURCES[source])
    collection: Collection
    if source == "scenes":
        collection = reader(count=_scenes_count(str(where)), seed=seed)
    elif source == "hub":
        collection = reader(where, images=images, making=making)
    else:
        collection = reader(Path(where), images=images, making=making)
    return collection if limit is None else collection.limit(limit)


def source_of(where: str | Path) -> str:
    """Give the name in `SOURCES` of the reader for `where`. Raises InputError when there is nothing to read."""
    text, path = str(where), Path(where)
    if text.startswith("hub:"):
        return "hub"
    if text == "scenes" or text.startswith("scenes:"):
        return "scenes"
    if path.is_dir():
        return "hub" if (path / "dataset_dict.json").is_file() or (path / "dataset_info.json").is_file() else "folder"
    if path.is_file():
        if path.suffix.lower() == ".parquet":
            return "hub"
        return "coco" if is_coco(path) else "rows"
    hub = f"; for the data set of that name on the Hugging Face hub, write hub:{text}" if text.count("/") == 1 else ""
    raise InputError(
        f"no data at {text!r}: expected a folder, a file of captions, hub:NAME, scenes or scenes:COUNT"
        f"{nearest(text, ['scenes'])}{hub}"
    )


def _scenes_count(where: str) -> int:
    count = where.removeprefix("scenes").removeprefix(":")
    if not count and ":" not in where:
        return SCENES_COUNT
    if not (count.isascii() and count.isdigit()) or int(count) < 6:
        raise InputError(f"{where!r}: expected scenes:COUNT with a count of at least 6, such as scenes:2000")
    return int(count)
