"""The report's examples: galleries of runs put side by side, photos in the page, and blocks that a button switches."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plait.core.files import read_json
from plait.report.text import PICTURE, colour_of, escape

if TYPE_CHECKING:
    from plait.data.collection import Collection

__all__ = ["collect_gallery", "photo", "safe_photos", "switched"]

THUMBNAIL_PX = 256

Merge = Callable[[Mapping[str, dict[str, Any]]], dict[str, Any]]


def collect_gallery(out: Path, results: Mapping[str, Any], collection: Collection, *, merge: Merge) -> dict[str, Any]:
    """Give what gallery.json of a comparison holds.

    Arguments:
        out:   the comparison's folder; the gallery of each fusion's first seed that did not fail is read
        merge: `Work.merge_galleries` of the task: label -> gallery to one gallery, in which "photos" lists the ids of
            the photos wanted; they become thumbnails as data URLs
    """
    merged = merge(_first_seeds(out, results))
    return {**merged, "photos": _thumbnails(merged.get("photos") or (), collection)}


def safe_photos(gallery: Mapping[str, Any]) -> dict[str, str]:
    """Give the gallery's photos that lie in the file itself; any other address is dropped."""
    return {
        str(key): value
        for key, value in (gallery.get("photos") or {}).items()
        if isinstance(value, str) and PICTURE.fullmatch(value)
    }


def photo(name: object, alt: str, photos: Mapping[str, str]) -> str:
    """Draw a photo of the gallery. The page holds each once; JavaScript puts it where it is shown."""
    if str(name) not in photos:
        return f'<span class="gone">{escape(name)}</span>'
    return f'<img data-photo="{escape(name)}" alt="{escape(alt)}" decoding="async">'


def switched(blocks: Mapping[str, str], order: Sequence[str], *, label: str, says: str) -> str:
    """Draw one block per fusion, of which a row of buttons shows one.

    Arguments:
        blocks: fusion -> HTML
        order:  the fusions, best first; those that are not in it come last
        label:  of the buttons, for screen readers
        says:   before the buttons
    """
    names = [*(name for name in order if name in blocks), *(name for name in blocks if name not in order)]
    buttons = "".join(
        f'<button type="button" data-choice="{escape(name)}" aria-pressed="{str(not place).lower()}">'
        f'<i class="s{colour_of(name, order) if name in order else 0}"></i>{escape(name)}</button>'
        for place, name in enumerate(names)
    )
    parts = "".join(
        f'<div class="block" data-fusion="{escape(name)}"{" hidden" if place else ""}>{blocks[name]}</div>'
        for place, name in enumerate(names)
    )
    return (
        f'<div class="switched"><div class="tools"><span>{escape(says)}</span><div class="switch" role="group" '
        f'aria-label="{escape(label)}">{buttons}</div></div><div aria-live="polite">{parts}</div></div>'
    )


def _first_seeds(out: Path, results: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Give the gallery of each fusion's first seed that did not fail, best fusion first."""
    shown: dict[str, dict[str, Any]] = {}
    for entry in results["summary"]:
        rows = [row for row in results["rows"] if row["fusion"] == entry["fusion"] and row["status"] != "failed"]
        path = out / min(rows, key=lambda row: row["seed"])["run"] / "gallery.json"
        if path.exists():
            shown[entry["fusion"]] = read_json(path)
    return shown


def _thumbnails(wanted: Sequence[str], collection: Collection) -> dict[str, str]:
    from plait.data.images import load_rgb, thumbnail_jpeg  # numpy and Pillow, which a page of results does not need

    names = set(wanted)
    urls = {}
    for item in collection.photos:
        if item.id in names:
            jpeg = thumbnail_jpeg(load_rgb(item.source), THUMBNAIL_PX)
            urls[item.id] = f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
    return urls
