"""Galleries of runs put side by side: first seeds, labels, thumbnails, and no picture from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from plait.report.gallery import collect_gallery, photo, safe_photos, switched


def test_the_first_seed_that_did_not_fail_is_shown(tmp_path: Path) -> None:
    names = ("p000.png", "p001.png")
    photos = [SimpleNamespace(id=name, source=np.zeros((24, 24, 3), dtype=np.uint8)) for name in names]
    collection: Any = SimpleNamespace(photos=photos)
    for name in ("a-s0", "a-s1", "b-s0"):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "gallery.json").write_text(json.dumps({"seen": name}), encoding="utf-8")
    rows = [
        {"fusion": "a", "seed": 1, "status": "ok", "run": "runs/a-s1"},
        {"fusion": "a", "seed": 0, "status": "failed", "run": "runs/a-s0"},
        {"fusion": "b", "seed": 0, "status": "did not train", "run": "runs/b-s0"},
        {"fusion": "c", "seed": 0, "status": "ok", "run": "runs/c-s0"},
    ]
    results = {"rows": rows, "summary": [{"fusion": name} for name in ("b", "a", "c")]}

    def merge(shown: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        return {"shown": {label: own["seen"] for label, own in shown.items()}, "photos": ["p001.png", "gone.png"]}

    found = collect_gallery(tmp_path, results, collection, merge=merge)
    assert list(found["shown"].items()) == [("b", "b-s0"), ("a", "a-s1")]
    assert list(found["photos"]) == ["p001.png"]
    assert safe_photos(found) == found["photos"]


def test_photos_from_elsewhere_are_dropped() -> None:
    photos = safe_photos({"photos": {"a": "https://example.org/a.jpg", "b": "data:image/png;base64,AAAA", "c": 3}})
    assert list(photos) == ["b"]
    assert photo("a", "x", photos) == '<span class="gone">a</span>'
    assert photo("b", '"<', photos) == '<img data-photo="b" alt="&quot;&lt;" decoding="async">'


def test_one_block_is_shown_the_best_first() -> None:
    shown = switched(
        {"new": "<p>N</p>", "late": "<p>L</p>", "cross": "<p>C</p>"}, ["cross", "late"], label="l", says="Of"
    )
    assert shown.index("<p>C</p>") < shown.index("<p>L</p>") < shown.index("<p>N</p>")
    assert shown.count(" hidden>") == 2
    assert shown.count('aria-pressed="true"') == 1
