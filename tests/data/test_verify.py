"""Looking at every photo once: cut files are found, listed, and remembered by content."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from plait.core.errors import InputError
from plait.data import verify
from plait.data.collection import Caption, Collection, Photo
from plait.data.open import open_collection
from plait.data.verify import verify_photos
from tests.data.photos import folder_of, noise


def with_cut_photo(tmp_path: Path) -> Path:
    folder = folder_of(tmp_path, 6, splits={"train": [0, 1, 2], "val": [3, 4, 5]})
    Image.fromarray(noise(300, 300)).save(folder / "full.jpg")
    data = (folder / "full.jpg").read_bytes()
    (folder / "images" / "p1.png").write_bytes(data[: len(data) - 2000])
    return folder


def test_a_cut_photo_is_dropped_and_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, seen = open_collection(with_cut_photo(tmp_path)), []
    checked = verify_photos(opened, lambda *done: seen.append(done), root=tmp_path / "cache")
    assert [photo.id for photo in checked.photos] == ["p0.png", "p2.png", "p3.png", "p4.png", "p5.png"]
    assert checked.splits == {"train": (0, 1), "val": (2, 3, 4)}
    assert len(checked.captions) == 10
    assert [skip.where for skip in checked.skipped] == ["p1.png"]
    assert "cut short" in checked.skipped[0].reason
    assert seen == [(6, 6)]
    monkeypatch.setattr(verify, "check_photo", lambda _: pytest.fail("looked again"))
    assert verify_photos(opened, root=tmp_path / "cache").fingerprint == checked.fingerprint


def test_whole_collections_come_back_as_they_are(tmp_path: Path) -> None:
    opened = open_collection(folder_of(tmp_path, 6))
    assert verify_photos(opened) is opened
    memory = Collection(
        *("m", "memory", tuple(Photo(str(n), noise(3, 3, n)) for n in range(2)), (Caption("c", "x", 0),)), {}
    )
    assert verify_photos(memory) is memory


def test_a_photo_that_vanished_and_too_few_left(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 5, splits={"train": [0, 1, 2], "val": [3, 4]})
    opened = open_collection(folder)
    (folder / "images" / "p0.png").unlink()
    checked = verify_photos(opened, root=tmp_path / "cache")
    assert [skip.where for skip in checked.skipped] == ["p0.png"]
    assert "No such file" in checked.skipped[0].reason
    (folder / "images" / "p3.png").unlink()
    with pytest.raises(InputError, match=r"split 'val' holds 1 usable image"):
        verify_photos(opened_again(opened))


def opened_again(collection: Collection) -> Collection:
    """Give the collection with photos that have not been read yet."""
    fresh = tuple(Photo(photo.id, photo.source) for photo in collection.photos)
    return Collection(collection.name, collection.origin, fresh, collection.captions, collection.splits)


def test_a_memory_that_is_nonsense_is_ignored(tmp_path: Path) -> None:
    opened = open_collection(folder_of(tmp_path, 6))
    (tmp_path / "cache" / "verified").mkdir(parents=True)
    for content in ("{", "[1]", '{"x": "y"}'):
        (tmp_path / "cache" / "verified" / f"{opened.photos_fingerprint}.json").write_text(content)
        assert verify_photos(opened, root=tmp_path / "cache") is opened
