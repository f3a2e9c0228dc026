"""The report's pictures: the runs' galleries put side by side, with thumbnails of the photos they show."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from plait.core.files import read_json
from plait.data.collection import Collection
from plait.data.images import load_rgb, thumbnail_jpeg

__all__ = ["merge_galleries", "merge_masks"]

THUMBNAIL_PX = 256


def merge_galleries(out: Path, results: dict[str, Any], collection: Collection) -> dict[str, Any]:
    """Join the galleries of each fusion's first seed, all of the same photos and captions.

    Returns: what gallery.json holds: thumbnails as data URLs, top answers by photo and by caption for every fusion, and
        the attention maps.
    """
    shown = _first_seeds(out, results)
    merged: dict[str, Any] = {"photos": {}, "by_photo": [], "by_caption": [], "attention": []}
    for part in ("by_photo", "by_caption"):
        for fusion, gallery in shown.items():
            for place, item in enumerate(gallery[part]):
                if place == len(merged[part]):
                    merged[part].append({**item, "results": {}})
                merged[part][place]["results"][fusion] = item["results"]
    merged["attention"] = _labelled(shown, "attention")
    merged["photos"] = _thumbnails(merged, collection)
    return merged


def merge_masks(out: Path, results: dict[str, Any], collection: Collection) -> dict[str, Any]:
    """Join the mask galleries of each fusion's first seed.

    Returns: what gallery.json holds: "photos" of the attention maps, "masks": [{photo, text, pictures of the photo and
        the truth, "results": {fusion: {iou, prediction, error}}}], "extremes" of every fusion, "attention".
    """
    shown = _first_seeds(out, results)
    masks: list[dict[str, Any]] = []
    for fusion, gallery in shown.items():
        for place, item in enumerate(gallery["masks"]):
            pictures = item["pictures"]
            if place == len(masks):
                given = {key: pictures[key] for key in ("photo", "truth")}
                masks.append({"photo": item["photo"], "text": item["text"], "pictures": given, "results": {}})
            own = {key: pictures[key] for key in ("prediction", "error")}
            masks[place]["results"][fusion] = {"iou": item["iou"], **own}
    merged: dict[str, Any] = {
        "masks": masks,
        "extremes": _labelled(shown, "extremes"),
        "attention": _labelled(shown, "attention"),
    }
    merged["photos"] = _thumbnails({"by_photo": [], "by_caption": [], "attention": merged["attention"]}, collection)
    return merged


def _labelled(shown: dict[str, Any], part: str) -> list[dict[str, Any]]:
    """Join one part of the galleries under the names of the comparison: a run knows its fusion, not its label."""
    return [{**item, "fusion": label} for label, gallery in shown.items() for item in gallery[part]]


def _first_seeds(out: Path, results: dict[str, Any]) -> dict[str, Any]:
    """Give the gallery of each fusion's first seed that did not fail, best fusion first."""
    shown: dict[str, Any] = {}
    for entry in results["summary"]:
        rows = [row for row in results["rows"] if row["fusion"] == entry["fusion"] and row["status"] != "failed"]
        path = out / min(rows, key=lambda row: row["seed"])["run"] / "gallery.json"
        if path.exists():
            shown[entry["fusion"]] = read_json(path)
    return shown


def _thumbnails(merged: dict[str, Any], collection: Collection) -> dict[str, str]:
    wanted = {item["photo"] for part in ("by_photo", "by_caption", "attention") for item in merged[part]}
    for item in merged["by_caption"]:
        wanted |= {hit["photo"] for hits in item["results"].values() for hit in hits}
    urls = {}
    for photo in collection.photos:
        if photo.id in wanted:
            jpeg = thumbnail_jpeg(load_rgb(photo.source), THUMBNAIL_PX)
            urls[photo.id] = f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
    return urls
