"""Collections: indices, fingerprints, limits and splits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from plait.core.errors import InputError
from plait.data.collection import Caption, Collection, Photo, Skip, keep_captions, keep_photos, texts_fingerprint
from plait.data.masks.source import MaskReading


def grey(value: int) -> np.ndarray:
    return np.full((2, 3, 3), value, dtype=np.uint8)


@pytest.fixture
def six() -> Collection:
    photos = tuple(Photo(f"p{n}", grey(n)) for n in range(6))
    captions = tuple(Caption(f"c{n}{k}", f"text {n} {k}", n) for n in range(6) for k in range(2))
    return Collection("six", "memory", photos, captions, {"train": (5, 0, 2), "val": (1, 3, 4)})


def test_captions_of_a_split(six: Collection) -> None:
    assert six.captions_of("val") == (2, 3, 6, 7, 8, 9)


def test_parts_keep_the_facts_of_the_whole(six: Collection) -> None:
    known = replace(six, splits_from="splits.json", reading=MaskReading("background"), skipped=(Skip("a", "b"),))
    for part in (known.limit(2), keep_photos(known, [0, 1]), keep_captions(known, [0, 2])):
        assert (part.name, part.origin, part.splits_from) == ("six", "memory", "splits.json")
        assert part.reading == known.reading
        assert part.skipped == known.skipped


def test_limit_keeps_the_first_of_each_split_and_renumbers(six: Collection) -> None:
    small = six.limit(2)
    assert [p.id for p in small.photos] == ["p0", "p1", "p3", "p5"]
    assert small.splits == {"train": (3, 0), "val": (1, 2)}
    assert [(c.text, c.image) for c in small.captions if c.image == 3] == [("text 5 0", 3), ("text 5 1", 3)]
    assert six.limit(99).fingerprint == six.fingerprint


def test_fingerprints_cover_what_they_say(six: Collection) -> None:
    renamed = replace(six, photos=tuple(Photo(f"q{n}", p.source) for n, p in enumerate(six.photos)))
    assert renamed.photos_fingerprint == six.photos_fingerprint
    assert renamed.fingerprint != six.fingerprint
    resplit = replace(six, splits={"train": (5, 0), "val": (1, 2, 3, 4)})
    assert resplit.captions_fingerprint == six.captions_fingerprint
    assert resplit.fingerprint != six.fingerprint
    repainted = replace(six, photos=(Photo("p0", grey(99)), *six.photos[1:]))
    assert repainted.photos_fingerprint != six.photos_fingerprint
    assert texts_fingerprint(["ab", "c"]) != texts_fingerprint(["a", "bc"])
    turned = Photo("p", np.zeros((3, 2, 3), dtype=np.uint8))
    assert turned.digest != Photo("p", np.zeros((2, 3, 3), dtype=np.uint8)).digest


def test_a_file_counts_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "b").write_bytes(b"abc")
    first = Photo("a", tmp_path / "a").digest
    # SHA-256 of "abc", from FIPS 180-2, appendix B.1
    assert first == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert Photo("b", tmp_path / "b").digest == first
    with pytest.raises(InputError, match=r"gone: cannot be read: No such file"):
        Photo("gone", tmp_path / "gone").digest


def test_wrong_collections_are_refused(six: Collection) -> None:
    with pytest.raises(InputError, match=r"image 'p1' is in split 'train' and in 'val'"):
        replace(six, splits={"train": (0, 1), "val": (1, 2)})
    with pytest.raises(InputError, match=r"image 'p1' is twice in 'train'"):
        replace(six, splits={"train": (1, 1)})
    with pytest.raises(InputError, match=r"split 'train' holds image number 6, but there are 6"):
        replace(six, splits={"train": (6,)})
    with pytest.raises(InputError, match=r"caption 'x' belongs to image number 9"):
        replace(six, captions=(Caption("x", "t", 9),))
    with pytest.raises(InputError, match=r"caption id 'x' comes twice"):
        replace(six, captions=(Caption("x", "t", 0), Caption("x", "u", 1)))
    with pytest.raises(InputError, match=r"image id 'p0' comes twice"):
        replace(six, photos=(six.photos[0], *six.photos[:5]))
    with pytest.raises(InputError, match=r"no split 'vall'; did you mean 'val'\?; it has: train, val"):
        six.captions_of("vall")
    with pytest.raises(InputError, match=r"a limit of 1 images per split: expected at least 2"):
        six.limit(1)


def test_splits_of_one_photo_cannot_be_evaluated(six: Collection) -> None:
    assert six.check_splits() is six
    lone = keep_photos(six, [0, 1, 2], skipped=[Skip("p3", "broken")])
    with pytest.raises(InputError, match=r"split 'val' holds 1 usable image; expected at least 2.*p3: broken"):
        lone.check_splits()
    with pytest.raises(InputError, match=r"no split has any image left; 0 things"):
        replace(six, splits={}).check_splits()


def test_answers_are_part_of_the_fingerprint_and_make_a_set_of_questions() -> None:
    plain = Collection("q", "test", (Photo("a", np.zeros((4, 4, 3), np.uint8)),), (Caption("0", "what", 0),), {})
    asked = replace(plain, captions=(Caption("0", "what", 0, answers=("dog", "dog", "cat")),))
    other = replace(plain, captions=(Caption("0", "what", 0, answers=("dog", "cat")),))
    assert not plain.has_answers
    assert asked.has_answers
    assert len({plain.fingerprint, asked.fingerprint, other.fingerprint}) == 3
    half = replace(plain, captions=(*asked.captions, Caption("1", "a dog", 0)))
    assert not half.has_answers
    assert half.fingerprint != replace(half, captions=(plain.captions[0], half.captions[1])).fingerprint
