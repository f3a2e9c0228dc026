"""Every mask is looked at once: sizes, empty ones, unreadable ones, and sets that look inverted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from plait.core.errors import InputError
from plait.data.describe import describe
from plait.data.masks.verify import mask_facts, verify_masks
from plait.data.open import open_collection
from plait.data.verify import verify_photos
from tests.data.mask_sets import SIZE, box, mask_set, save_mask


def test_a_sound_set_is_given_back(tmp_path: Path) -> None:
    data = open_collection(mask_set(tmp_path))
    seen: list[tuple[int, int]] = []
    assert verify_masks(data, lambda done, total: seen.append((done, total))) is data
    assert seen == [(12, 12)]
    facts = describe(data)["masks"]
    pixels = [3 * (4 + n + 10 * k) for n in range(6) for k in range(2)]
    assert facts["area"]["mean"] == pytest.approx(np.mean(pixels) / 1200, abs=1e-4)
    assert (facts["count"], facts["texts"], facts["empty"], facts["unusable"]) == (12, 2, 0, 0)
    assert facts["polarities"] == ["foreground"]
    assert facts["splits"]["val"]["masks"] == 4


def test_another_size_is_an_error_that_names_the_row(tmp_path: Path) -> None:
    folder = mask_set(tmp_path)
    save_mask(folder / "masks" / "p1_cat.png", box(0, (40, 30)))
    data = open_collection(folder)
    with pytest.raises(InputError, match=r"pairs\.csv, row 5: .*p1_cat\.png: 30 x 40 px, but its image has 40 x 30"):
        verify_masks(data)
    save_mask(folder / "masks" / "p2_cat.png", box(0, (5, 60)))
    with pytest.raises(InputError, match=r"row 5: .*; 2 of 12 masks have another size"):
        verify_photos(open_collection(folder))


def test_empty_masks_are_skipped_or_kept_as_declared(tmp_path: Path) -> None:
    folder = mask_set(tmp_path)
    for word in ("dog", "cat"):
        save_mask(folder / "masks" / f"p0_{word}.png", np.zeros(SIZE, dtype=bool))
    found = verify_masks(open_collection(folder))
    assert (len(found.captions), len(found.photos)) == (10, 5)
    assert [skip.reason for skip in found.skipped] == [
        "the mask of 'dog' marks nothing",
        "the mask of 'cat' marks nothing",
    ]
    assert found.splits == {"train": (0, 1, 2), "val": (3, 4)}
    assert found.captions[0].image == 0
    kept = verify_masks(open_collection(f"{folder}#empty=keep"))
    assert len(kept.captions) == 12
    assert mask_facts(kept)["empty"] == 2


def test_unreadable_masks_are_listed_and_most_of_them_an_error(tmp_path: Path) -> None:
    folder = mask_set(tmp_path)
    (folder / "masks" / "p0_dog.png").write_bytes(b"no image")
    rgba = np.dstack([np.full((*SIZE, 3), 90, dtype=np.uint8), np.where(box(0), 0, 255).astype(np.uint8)])
    Image.fromarray(rgba).save(folder / "masks" / "p1_dog.png")
    found = verify_masks(open_collection(folder))
    assert len(found.captions) == 10
    assert "p0_dog.png: not an image of a known kind" in found.skipped[0].reason
    assert "1.0 % of it is transparent; declare 'alpha'" in found.skipped[1].reason
    for n in range(6):
        Image.fromarray(rgba).save(folder / "masks" / f"p{n}_dog.png")
        Image.fromarray(rgba).save(folder / "masks" / f"p{n}_cat.png")
    with pytest.raises(InputError, match=r"12 of 12 masks cannot be used; the first: .*declare 'alpha'"):
        verify_masks(open_collection(folder))
    right = verify_masks(open_collection(f"{folder}#polarity=alpha"))
    assert mask_facts(right)["area"]["mean"] == 0.01


def test_a_photo_that_is_damaged_is_said(tmp_path: Path) -> None:
    folder = mask_set(tmp_path)
    (folder / "images" / "p1.png").write_bytes(b"no image")
    facts = mask_facts(open_collection(folder))
    assert facts["unusable"] == 2
    assert "p1.png: not an image of a known kind" in facts["first_problem"]


def test_a_set_that_looks_inverted_must_be_declared(tmp_path: Path) -> None:
    folder = mask_set(tmp_path)
    for path in (folder / "masks").iterdir():
        save_mask(path, ~np.asarray(Image.open(path)).astype(bool))
    with pytest.raises(InputError, match=r"masks mark 97 % of their images on average .*'#polarity=background'"):
        verify_masks(open_collection(folder))
    meant = verify_masks(open_collection(f"{folder}#polarity=foreground"))
    assert mask_facts(meant)["nearly_all_foreground"]
    turned = verify_masks(open_collection(f"{folder}#polarity=background"))
    assert mask_facts(turned)["area"]["mean"] < 0.04


def test_captions_without_masks_among_others(tmp_path: Path) -> None:
    from dataclasses import replace

    data = open_collection(mask_set(tmp_path))
    some = replace(data, captions=(replace(data.captions[0], mask=None), *data.captions[1:]))
    assert not some.has_masks
    found = verify_masks(some)
    assert len(found.captions) == 11
    assert "has no mask, while others have" in found.skipped[0].reason
    none = replace(data, captions=tuple(replace(caption, mask=None) for caption in data.captions))
    assert verify_masks(none) is none
    assert "masks" not in describe(none)


def test_the_outcome_is_remembered_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, root = mask_set(tmp_path / "set"), tmp_path / "cache"
    save_mask(folder / "masks" / "p0_dog.png", np.zeros(SIZE, dtype=bool))
    first = verify_masks(open_collection(folder), root=root)
    monkeypatch.setattr("plait.data.masks.verify.load_mask", lambda *_: pytest.fail("read again"))
    again = verify_masks(open_collection(folder), root=root)
    assert again.fingerprint == first.fingerprint
    assert again.skipped == first.skipped
    monkeypatch.undo()
    save_mask(folder / "masks" / "p0_dog.png", box(3))
    assert len(verify_masks(open_collection(folder), root=root).captions) == 12
    (memory,) = [path for path in (root / "verified").iterdir() if len(path.read_text()) > 0][:1]
    memory.write_text("[1")
    assert len(verify_masks(open_collection(folder), root=root).captions) == 12
