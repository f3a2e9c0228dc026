"""Difference hashes worked by hand, what changes them and what does not, and the search for pairs."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import numpy as np
import pytest

from plait.core.errors import InputError
from plait.data import fingerprints
from plait.data.fingerprints import BLANK, content_hash, is_plain, likeness, near_duplicates, perceptual_hash, thumbnail
from tests.data.photos import scene


def cells(table: np.ndarray, scale: int = 5) -> np.ndarray:
    """Draw a grid of grey levels (8, 9) as a photo with squares of `scale` pixels."""
    grown = np.kron(table, np.ones((scale, scale))).astype(np.uint8)
    return np.repeat(grown[:, :, None], 3, axis=2)


def test_bits_worked_by_hand() -> None:
    table = np.full((8, 9), 100)
    table[0] = [10, 20, 10, 20, 10, 20, 10, 20, 10]  # up, down, up, ...: 10101010
    table[7] = [1, 2, 3, 4, 5, 6, 7, 8, 9]  # up all along: 11111111
    assert perceptual_hash(cells(table)) == 0xAA000000000000FF


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (8, 9), (13, 17), (400, 31)])
def test_any_size_is_hashed(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, size=(*shape, 3), dtype=np.uint8)
    assert 0 <= perceptual_hash(noise) < 2**64


def test_means_over_areas_share_pixels_on_edges() -> None:
    # 3 pixels in 2 cells: the middle one belongs half to each
    assert fingerprints._area_means(3, 2) == pytest.approx(np.array([[2, 1, 0], [0, 1, 2]]) / 3)


def test_size_light_and_contrast_change_few_bits_and_another_photo_many() -> None:
    photo, other = scene(3), scene(4)
    darker = (photo * 0.7 + 20).astype(np.uint8)
    bigger = np.repeat(np.repeat(photo, 2, axis=0), 2, axis=1)
    same = perceptual_hash(photo)
    assert same == perceptual_hash(bigger)
    assert (same ^ perceptual_hash(darker)).bit_count() <= 2
    assert (same ^ perceptual_hash(other)).bit_count() > 10
    assert (same ^ perceptual_hash(photo[:, ::-1])).bit_count() > 10  # mirrored photos are not found


def test_blank_photos_are_marked_whatever_their_noise() -> None:
    noise = np.random.default_rng(0).integers(-3, 4, size=(90, 90, 3))
    assert perceptual_hash(np.full((9, 9, 3), 255, dtype=np.uint8)) == BLANK
    assert perceptual_hash((128 + noise).astype(np.uint8)) == BLANK


def test_plain_hashes_are_nobodys_duplicate() -> None:
    rises = cells(np.tile(np.arange(9) * 20, (8, 1)))
    falls = rises[:, ::-1]
    assert perceptual_hash(rises) == 2**64 - 1
    assert perceptual_hash(falls) == 0
    assert is_plain(2**64 - 1)
    assert is_plain(0b1111)
    assert not is_plain(0b11111)
    assert near_duplicates([BLANK, BLANK, 1, 3, 2**64 - 1, 2**64 - 1]) == []


def test_pairs_are_all_those_a_plain_loop_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprints, "_BLOCK_PAIRS", 700)  # several blocks
    generator = np.random.default_rng(1)
    base = [int(v) for v in generator.integers(0, 2**63, size=20)]
    hashes = [base[n % 20] ^ (1 << int(generator.integers(64))) ^ (1 << int(generator.integers(64))) for n in range(90)]
    hashes[7] = BLANK
    wanted = [
        (i, j)
        for i in range(90)
        for j in range(i + 1, 90)
        if not is_plain(hashes[i]) and not is_plain(hashes[j]) and (hashes[i] ^ hashes[j]).bit_count() <= 4
    ]
    assert wanted
    assert near_duplicates(hashes) == wanted


def test_older_numpy_counts_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(2).integers(0, 2**63, size=(3, 4)).astype(np.uint64)
    wanted = [[int(v).bit_count() for v in row] for row in values]
    assert fingerprints._bits(values).tolist() == wanted
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    assert fingerprints._bits(values).tolist() == wanted


def test_a_second_look_tells_copies_from_strangers() -> None:
    photo = scene(5)
    darker = (photo * 0.6 + 30).astype(np.uint8)
    flat = np.full((20, 20, 3), 90, dtype=np.uint8)
    small = np.stack([thumbnail(p) for p in (photo, darker, scene(6), flat)])
    assert small.shape == (4, 16, 16, 3)
    same, other, blank = likeness(small, [(0, 1), (0, 2), (3, 0)])
    assert same > 0.99
    assert other < 0.5
    assert blank == 0


def test_thumbnails_are_means_over_areas() -> None:
    photo = np.zeros((32, 32, 3), dtype=np.uint8)
    photo[:2, :2] = [[[10, 0, 0], [20, 0, 0]], [[30, 0, 0], [40, 100, 0]]]
    assert thumbnail(photo)[0, 0].tolist() == [25, 25, 0]
    assert not thumbnail(photo)[1:].any()


def test_ten_thousand_photos_take_seconds() -> None:
    hashes = [int(v) for v in np.random.default_rng(3).integers(0, 2**63, size=10_000)]
    hashes[9_999] = hashes[0] ^ 0b111
    began = time.perf_counter()
    assert near_duplicates(hashes) == [(0, 9_999)]
    assert time.perf_counter() - began < 10


def test_content_is_the_files_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert content_hash(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
    assert content_hash(scene(0)) != content_hash(scene(1))
    with pytest.raises(InputError, match="cannot be read"):
        content_hash(tmp_path / "none")


def test_wrong_input_is_named() -> None:
    with pytest.raises(InputError, match=r"expected a \(H, W, 3\) uint8 array"):
        perceptual_hash(np.zeros((4, 4), dtype=np.uint8))
    with pytest.raises(InputError, match="expected 0 to 32 of 64 bits, got 33"):
        near_duplicates([1], max_bits=33)
    with pytest.raises(InputError, match="expected hashes of 64 bits"):
        near_duplicates([2**64])
