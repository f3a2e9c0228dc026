"""What a data set and the cache hold, as plain data."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from plait.core.errors import InputError, shown
from plait.data.collection import Collection
from plait.data.masks.verify import mask_facts
from plait.data.tokens.cache import list_stores

__all__ = ["cache_facts", "describe", "printable"]


def describe(collection: Collection, *, root: Path | None = None) -> dict[str, Any]:
    """Say what a data set holds, as plain data.

    Keys: those of `Collection.facts`; splits_from; captions_per_image {fewest, most}; words_per_caption {median,
    longest}; masks (see `mask_facts`), where every caption has one.

    Arguments:
        collection: what to describe; its masks are read
        root:       folder of the caches, where what is known of masks is kept; None = keep nothing
    """
    if not isinstance(collection, Collection):
        raise InputError(f"expected a collection, as `open_data` gives it, got {shown(collection)}")
    captions = Counter(caption.image for caption in collection.captions)
    counts = [captions.get(i, 0) for members in collection.splits.values() for i in members]
    words = sorted(len(caption.text.split()) for caption in collection.captions)
    facts = {
        **collection.facts(),
        "splits_from": collection.splits_from,
        "captions_per_image": {"fewest": min(counts, default=0), "most": max(counts, default=0)},
        "words_per_caption": {"median": words[len(words) // 2] if words else 0, "longest": max(words, default=0)},
        **({"masks": mask_facts(collection, root=root)} if collection.has_masks else {}),
    }
    cleaned: dict[str, Any] = printable(facts)
    return cleaned


def printable(data: Any) -> Any:
    r"""Give plain data whose texts can be printed and written as UTF-8.

    File names need not be UTF-8; Python holds their other bytes as lone surrogates, which become escapes.

    Example:
        >>> printable({"name": "caf\udce9"})
        {'name': 'caf\\udce9'}
    """
    if isinstance(data, str):
        return data if data.isascii() else data.encode("utf-8", "backslashreplace").decode()
    if isinstance(data, dict):
        return {printable(key): printable(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [printable(value) for value in data]
    return data


def cache_facts(root: Path) -> dict[str, Any]:
    """List the cached tokens under `root`."""
    entries = [
        {
            "name": info.id,
            "what": " ".join(info.key.get(part, "") for part in ("what", "view")).strip(),
            "items": info.items,
            "bytes": info.size_bytes,
            "complete": info.complete,
            "key": info.key,
        }
        for info in list_stores(root)
    ]
    return {"root": str(root), "entries": entries}
