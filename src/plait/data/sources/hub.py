"""Hugging Face `datasets`: by name, from a folder written by `save_to_disk`, or a parquet file."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from plait.core.errors import InputError, MissingPackageError, OfflineError
from plait.data.assemble import assemble
from plait.data.collection import Collection
from plait.data.masks.source import MaskReading
from plait.data.sources.columns import IMAGE_COLUMNS, TEXT_COLUMNS
from plait.data.sources.embedded import keep_embedded, known_finder
from plait.data.sources.magicbrush import has_masks, open_masked
from plait.data.sources.rows import rows_of_objects
from plait.data.sources.table import strict
from plait.data.splits import SplitMaking
from plait.data.tokens.cache import cache_root

__all__ = ["hub_answers", "open_hub"]

_NUMBERED = re.compile(r"^(caption|sentence|text)_?\d+$")  # caption_0 ... caption_4
_SPLIT_NAMES = {"validation": "val", "valid": "val", "dev": "val"}


def open_hub(
    where: str | Path,
    *,
    images: Path | None = None,
    making: SplitMaking | None = None,
    masks: MaskReading | None = None,
) -> Collection:
    """Open "hub:NAME", a folder of `save_to_disk` or a parquet file, with columns named as in `rows`.

    Embedded images are written once to the cache folder, so that they need not stay in memory. Splits are the data
    set's (validation is called val), or those that a column `split` names; where there is only one, they are made. A
    data set with an image and a mask column, such as MagicBrush, is opened as masks.

    Raises:
        MissingPackageError: the `datasets` package is not installed.
        OfflineError: the hub does not answer within a second, and the data set is not on this disk.
        InputError: there is no such data set, or it has no image or no caption column.
    """
    if find_spec("datasets") is None:
        raise MissingPackageError(f"{where}: needs the package `datasets`: pip install 'plait[hub]'")
    parts = _load(str(where))
    folder = cache_root() / "photos" / hashlib.sha256(os.fsencode(where)).hexdigest()[:16]
    known: dict[str, Path] = {}
    several = len(parts) > 1
    if has_masks(parts):
        named = {_SPLIT_NAMES.get(split, split): data for split, data in parts.items()}
        return open_masked(str(where), named, folder, making=making or SplitMaking(), reading=masks or MaskReading())
    if masks is not None:
        columns = ", ".join(next(iter(parts.values())).column_names)
        raise InputError(f"{where}: masks were requested, but no column holds any; found: {columns}")
    objects = (
        item
        for split, data in parts.items()
        for item in _objects(str(where), _SPLIT_NAMES.get(split, split) if several else None, data, folder, known)
    )
    rows = list(strict(rows_of_objects(objects, ("image",), ("caption",))))
    return assemble(
        str(where).removeprefix("hub:").rstrip("/").rpartition("/")[2],
        str(where),
        rows=rows,
        find=known_finder(known, images, str(where)),
        making=making or SplitMaking(),
        row_splits="the data set's own splits" if several else "column 'split'",
    )


def hub_answers(seconds: float = 0.8) -> bool:
    """Tell whether the hub can be reached, within this time; False at once where the user asked to stay offline."""
    if any(os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE") for name in _OFFLINE):
        return False
    address = urlparse(os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
    answered = threading.Event()

    def probe() -> None:
        try:
            port = address.port or (80 if address.scheme == "http" else 443)
            socket.create_connection((address.hostname or "", port), timeout=seconds).close()
            answered.set()
        except OSError:
            pass

    # In a thread, because asking for a name without a network can take half a minute and has no time limit.
    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    thread.join(seconds)
    return answered.is_set()


_OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")


def _load(where: str) -> dict[str, Any]:
    """Give split name -> data set."""
    name = where.removeprefix("hub:")
    local = Path(where)
    online = local.exists() or hub_answers()
    if not online and not _is_cached(name):
        raise OfflineError(
            f"{where}: the Hugging Face hub does not answer and the data set is not on this disk; connect to the "
            "network, or give a folder with images/ and captions.csv instead"
        )
    import datasets

    try:
        if local.is_dir():
            loaded = datasets.load_from_disk(str(local))
        elif local.is_file():
            loaded = datasets.load_dataset("parquet", data_files={"train": str(local)})
        else:
            datasets.config.HF_HUB_OFFLINE = not online  # else every call is tried five times before the disk
            loaded = datasets.load_dataset(name)
    except (OSError, ValueError, RuntimeError) as error:
        text = str(error).splitlines()
        raise InputError(
            f"{where}: the data set cannot be loaded: {text[0] if text else type(error).__name__}"
        ) from error
    return dict(loaded) if isinstance(loaded, dict) else {"train": loaded}


def _is_cached(name: str) -> bool:
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    folder = Path(os.environ.get("HF_DATASETS_CACHE") or home / "datasets")
    return (folder / name.replace("/", "___").lower()).is_dir() or (folder / name.replace("/", "___")).is_dir()


def _objects(
    where: str, split: str | None, data: Any, folder: Path, known: dict[str, Path]
) -> Iterator[tuple[str, dict[str, Any]]]:
    import datasets

    columns: list[str] = list(data.column_names)
    embedded = [c for c in columns if isinstance(data.features[c], datasets.Image)]
    named = [c for c in columns if c.lower() in IMAGE_COLUMNS and c not in embedded]
    numbered = sorted(c for c in columns if _NUMBERED.match(c.lower()))
    sentences = [c for t in TEXT_COLUMNS for c in columns if c.lower() == t][:1] or numbered
    if not (embedded or named) or not sentences:
        raise InputError(
            f"{where}: no {'caption' if embedded or named else 'image'} column; found: {', '.join(columns)}; "
            f"expected images in one of: {', '.join(IMAGE_COLUMNS)}; captions in one of: {', '.join(TEXT_COLUMNS)}"
        )
    image, own_split = (embedded or named)[0], next((c for c in columns if c.lower() == "split"), None)
    data = data.select_columns([image, *sentences, *([own_split] if own_split else [])])
    if embedded:
        data = data.cast_column(image, datasets.Image(decode=False))
    for number, row in enumerate(data):
        place = f"{where}, {split or 'row'} {number}"
        name = keep_embedded(row[image], folder, known) if embedded else row[image]
        texts = [text for column in sentences for text in _as_list(row[column])]
        yield place, {"image": name, "caption": texts, "split": row[own_split] if own_split else split}


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
