"""The verbs about data: open, check and verify a data set, and the cache of its tokens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plait.api.progress import listening
from plait.core.errors import ConfigError, InputError, shown
from plait.core.files import write_json
from plait.core.recipe.ranges import RANGES, Range, checked_number
from plait.core.show import data_frame, html_table
from plait.data.collection import Collection
from plait.data.describe import cache_facts, describe
from plait.data.given import as_path
from plait.data.open import open_collection
from plait.data.tokens.cache import cache_root, clear_stores
from plait.data.verify import verify_photos
from plait.doctor.check import check_data as check_material
from plait.doctor.findings import Finding
from plait.doctor.fix import clean_data
from plait.report.check import check_thumbnails, write_check
from plait.runs.kinds import CLEANED, output_folder
from plait.train.events import Event, Listener, silent

__all__ = ["Check", "check", "clear_cache", "describe", "open_data", "show_cache", "token_cache", "verify"]

_ANY = Range(-1e9, 1e9)  # of which numbers make sense, a collection says more than a range could


class Check:
    """What `check` found.

    Arguments:
        record:   what check.json holds, with "fixed" and "page" where they were requested
        findings: errors first, then warnings, then notes
    """

    def __init__(self, record: dict[str, Any], findings: tuple[Finding, ...]) -> None:
        self.record = record
        self.findings = findings

    @property
    def name(self) -> str:
        """Name the data set."""
        return str(self.record["name"])

    @property
    def counts(self) -> dict[str, int]:
        """Give how many kinds of "error", "warning" and "note" were found."""
        return dict(self.record["counts"])

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Give the findings that are errors."""
        return tuple(found for found in self.findings if found.kind.severity == "error")

    @property
    def page(self) -> Path | None:
        """Give the path of check.html, where `out` was given."""
        return Path(self.record["page"]) if "page" in self.record else None

    @property
    def fixed(self) -> Mapping[str, Any] | None:
        """Say what was written where, and left out, where `fix` was given."""
        return self.record.get("fixed")

    def to_frame(self) -> Any:
        """Give a pandas DataFrame with one row per finding: severity, code, title, count, of, fix.

        Raises:
            MissingPackageError: pandas is not installed.
        """
        rows = self.record["findings"]
        return data_frame(
            {key: [row[key] for row in rows] for key in ("severity", "code", "title", "count", "of", "fix")}
        )

    def __repr__(self) -> str:
        """Say in one line what was found."""
        counts = ", ".join(f"{number} of {kind}" for kind, number in self.counts.items())
        codes = ", ".join(row["code"] for row in self.record["findings"][:4])
        return f"Check({self.name!r}: kinds {counts}{'; ' + codes if codes else ''})"

    def _repr_html_(self) -> str:
        rows = [[row["severity"], row["title"], row["count"], row["fix"]] for row in self.record["findings"]]
        return html_table(f"{self.name}: what was found", rows, header=["severity", "finding", "count", "fix"])


def open_data(
    where: str | Path | Collection, *, limit: int | None = None, images: str | Path | None = None, seed: int = 0
) -> Collection:
    """Open a data set: a folder, a CSV/JSONL/JSON file, "hub:NAME" or "scenes[:COUNT]"; see `plait.data.open`.

    Args:
        limit:  only the first so many images of each split
        images: the images' folder, where the file does not lie beside it
        seed:   of the split, where the data brings none, and of `scenes`
    """
    if limit is not None:
        checked_number(limit, "limit", _ANY)
    if isinstance(where, Collection):
        return where if limit is None else where.limit(limit)
    folder = None if images is None else as_path(images, "images", error=InputError)
    place = where if isinstance(where, str) and where.strip() else as_path(where, "data", error=InputError)
    seed = checked_number(seed, "seed", RANGES["train.seed"])
    return open_collection(place, images=folder, limit=limit, seed=seed)


def verify(collection: Collection, *, cache: str | Path | None = None, listener: Listener = silent) -> Collection:
    """Decode every image; leave out, and list, those that cannot be read.

    `fit`, `evaluate` and `compare` do so first. The outcome is remembered in the cache by the images' content.
    """
    return verify_photos(
        collection,
        root=token_cache(cache),
        progress=lambda done, total: listener(Event("verify", "photos", done, total)),
    )


def check(
    data: str | Path,
    *,
    images: str | Path | None = None,
    fix: str | Path | None = None,
    out: str | Path | None = None,
    cache: str | Path | None = None,
    listener: Listener | None = None,
    progress: bool | None = None,
) -> Check:
    """Look for what is wrong with a data set: damaged and double images, leaks between splits, captions, masks.

    Args:
        data:     a folder (captions, masks, questions or labels beside images/), a file of captions, "hub:NAME",
                  "scenes"
        images:   the images' folder, where it is not beside the captions
        fix:      write a cleaned list of captions and splits into this folder (see `plait.doctor.fix`)
        out:      write check.html and check.json into this folder
        listener, progress: as in `fit`
    Raises:
        InputError: there is nothing to check, or `fix` would write where the originals are.
        StorageError: a result cannot be written.
    """
    folder = None if images is None else as_path(images, "images", error=InputError)
    clean = None if fix is None else output_folder(fix, CLEANED)
    page = None if out is None else output_folder(out, "check")
    place = data if isinstance(data, str) and data.strip() else as_path(data, "data", error=InputError)
    with listening(listener, progress) as listen:
        found = check_material(
            place,
            images=folder,
            root=token_cache(cache),
            progress=lambda what, done, total: listen(Event("verify", what, done, total)),
        )
    result = found.to_json()
    if clean is not None:
        result["fixed"] = clean_data(found, clean)
    if page is not None:
        write_json(page / "check.json", result)
        thumbnails = check_thumbnails(result, found.material.photos)
        result["page"] = str(write_check(result, thumbnails, page / "check.html"))
    return Check(result, found.findings)


def token_cache(cache: str | Path | None) -> Path:
    """Give the folder of the cache: the one given, or this user's (PLAIT_CACHE names another)."""
    return cache_root() if cache is None else as_path(cache, "cache")


def show_cache() -> dict[str, Any]:
    """List the cached tokens on this machine."""
    return cache_facts(cache_root())


def clear_cache(name: str | None = None) -> dict[str, Any]:
    """Remove cached tokens: all, or the entry of one name. They are made again when they are next needed.

    Raises:
        ConfigError: there is no entry of that name.
    """
    if name is not None and not isinstance(name, str):
        raise ConfigError(f"name: expected the name of an entry, got {shown(name)}; `plait cache` shows the names")
    root = cache_root()
    removed = clear_stores(root, everything=name is None, name=name or "")
    if name is not None and not removed:
        raise ConfigError(f"{root}: no entry {name!r}; `plait cache` shows the names")
    return {"root": str(root), "entries": len(removed), "bytes": sum(info.size_bytes for info in removed)}
