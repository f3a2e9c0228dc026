"""Photos and blocks of the gallery: no picture from elsewhere, one block shown."""

from __future__ import annotations

from plait.report.gallery import photo, safe_photos, switched


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
