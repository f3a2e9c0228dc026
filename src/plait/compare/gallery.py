"""The comparison's gallery: the runs' galleries side by side, with thumbnails of the images they show."""

from __future__ import annotations

import base64
from collections.abc import Collection as AnyCollection
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plait.core.files import read_json
from plait.data.collection import Collection
from plait.data.images import load_rgb, thumbnail_jpeg
from plait.tasks import find_task

__all__ = ["merged_gallery"]

THUMBNAIL_PX = 256


def merged_gallery(out: Path, results: Mapping[str, Any], collection: Collection) -> dict[str, Any]:
    """Join the galleries of each fusion's first seed, all of the same images and captions.

    Returns: what gallery.json holds: the task's parts, and "photos": id -> thumbnail as a data URL.
    """
    merged = find_task(results["task"]).load_work().merge_galleries(_first_seeds(out, results))
    return {**merged, "photos": _thumbnails(merged["photos"], collection)}


def _first_seeds(out: Path, results: Mapping[str, Any]) -> dict[str, Any]:
    """Give the gallery of each fusion's first seed that did not fail, best fusion first."""
    shown: dict[str, Any] = {}
    for entry in results["summary"]:
        rows = [row for row in results["rows"] if row["fusion"] == entry["fusion"] and row["status"] != "failed"]
        path = out / min(rows, key=lambda row: row["seed"])["run"] / "gallery.json"
        if path.exists():
            shown[entry["fusion"]] = read_json(path)
    return shown


def _thumbnails(wanted: AnyCollection[str], collection: Collection) -> dict[str, str]:
    urls = {}
    for photo in collection.photos:
        if photo.id in wanted:
            jpeg = thumbnail_jpeg(load_rgb(photo.source), THUMBNAIL_PX)
            urls[photo.id] = f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
    return urls
