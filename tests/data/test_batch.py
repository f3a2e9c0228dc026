"""Batches from cached tokens, from raw texts and photos, and from both."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from plait.core.errors import ConfigError, InputError, ShapeError
from plait.core.types import ImageSpec, Tokens
from plait.data.batch import PixelSource, RawTexts, TokenViews, join_tokens, load_pixels, make_batch
from plait.data.collection import Photo
from plait.data.images import to_pixels
from plait.data.text import WordInput
from plait.data.tokens.cache import build_store
from plait.data.tokens.store import TokenStore
from tests.data.photos import noise, save_photo

SPEC = ImageSpec(8, (0.5,) * 3, (0.5,) * 3, "bilinear", "crop")  # type: ignore[arg-type]


def store(root: Path, name: str, count: int, plus: float = 0.0, width: int = 3) -> TokenStore:
    def encode(items: list[int]) -> Tokens:
        values = (torch.tensor(items)[:, None, None] + plus).expand(-1, 4, width)
        return Tokens(values, torch.ones(len(items), 4, dtype=torch.bool), grid=(2, 2))

    return build_store(root, {"name": name}, range(count), encode)


@pytest.fixture
def photos(tmp_path: Path) -> list[Photo]:
    path = save_photo(tmp_path / "a.png", size=(20, 12))
    return [Photo("a", path), Photo("b", noise(30, 20)), Photo("c", noise(9, 9, seed=1))]


def test_cached_on_both_sides(tmp_path: Path) -> None:
    batch = make_batch(
        store(tmp_path, "t", 6),
        store(tmp_path, "i", 3),
        torch.tensor([5, 0, 4]),
        torch.tensor([2, 0, 2]),
        target=torch.tensor([7, 8, 9]),
    )
    assert batch.text is not None
    assert batch.image is not None
    assert batch.text.values[:, 0, 0].tolist() == [5, 0, 4]
    assert batch.image.values[:, 0, 0].tolist() == [2, 0, 2]
    assert batch.target.tolist() == [7, 8, 9]
    assert batch.pixels is None
    assert batch.text_ids is None


def test_images_that_texts_share_are_held_once(tmp_path: Path) -> None:
    text, image = store(tmp_path, "t", 6), store(tmp_path, "i", 3)
    texts, images = torch.tensor([5, 0, 4]), torch.tensor([2, 0])
    batch = make_batch(text, image, texts, images, image_row=torch.tensor([1, 0, 1]))
    assert batch.image is not None
    assert batch.image.values[:, 0, 0].tolist() == [2, 0]
    assert batch.image_row is not None
    assert batch.image_row.tolist() == [1, 0, 1]
    assert batch.target is None
    with pytest.raises(ShapeError, match=r"image row index from 0 to 2; there are 2"):
        make_batch(text, image, texts, images, image_row=torch.tensor([1, 0, 2]))


def test_raw_on_both_sides(photos: list[Photo]) -> None:
    texts = ["a dog", "a cat runs"]
    read = WordInput.from_texts(texts)
    source = PixelSource(photos, SPEC, ("full", "flip"))
    batch = make_batch(
        RawTexts(texts, read), source, torch.tensor([1, 0]), torch.tensor([1, 1]), view=torch.tensor([0, 1])
    )
    assert batch.text_ids is not None
    assert batch.text_valid is not None
    assert batch.pixels is not None
    assert torch.equal(batch.text_ids, read(["a cat runs", "a dog"])[0])
    assert batch.text_valid.sum(1).tolist() == [5, 4]
    assert torch.equal(batch.pixels[0], to_pixels(noise(30, 20), SPEC))
    assert torch.equal(batch.pixels[0].flip(-1), batch.pixels[1])
    assert batch.text is None
    assert batch.image is None


def test_pixels_do_not_depend_on_threads_or_place(photos: list[Photo]) -> None:
    index = torch.tensor([2, 0, 2, 1])
    one = load_pixels(PixelSource(photos, SPEC, ("crop1",), threads=1), index)
    many = load_pixels(PixelSource(photos, SPEC, ("crop1",), threads=3), index)
    assert torch.equal(one, many)
    alone = load_pixels(PixelSource(photos[1:2], SPEC, ("crop1",)), torch.tensor([0]))
    assert torch.equal(alone[0], one[3])
    assert not torch.equal(load_pixels(PixelSource(photos, SPEC, ("crop1",), seed=1), index)[3], one[3])


def test_views_of_cached_tokens_keep_their_rows(tmp_path: Path) -> None:
    views = TokenViews((store(tmp_path, "full", 4), store(tmp_path, "flip", 4, plus=100)))
    tokens = views.take(torch.tensor([3, 1, 3, 0]), torch.tensor([1, 0, 0, 1]))
    assert tokens.values[:, 0, 0].tolist() == [103, 1, 3, 100]
    assert tokens.grid == (2, 2)
    assert views.take(torch.tensor([2])).values[0, 0, 0] == 2
    assert views.take(torch.tensor([2, 1]), torch.tensor([1, 1])).values[:, 0, 0].tolist() == [102, 101]


def test_views_of_some_photos_only(tmp_path: Path) -> None:
    rows = torch.tensor([-1, 0, -1, 1])  # photos 1 and 3 were trained on
    views = TokenViews((store(tmp_path, "full", 4), store(tmp_path, "flip", 2, plus=100)), rows)
    tokens = views.take(torch.tensor([3, 0, 1]), torch.tensor([1, 0, 1]))
    assert tokens.values[:, 0, 0].tolist() == [101, 0, 100]
    with pytest.raises(ShapeError, match=r"index of items in \[0, 2\)"):
        views.take(torch.tensor([0, 1]), torch.tensor([1, 1]))


def test_joining_pads_to_the_longest() -> None:
    def tokens(n: int) -> Tokens:
        return Tokens(
            torch.ones(1, n, 2), torch.ones(1, n, dtype=torch.bool), None, torch.ones(1, n, 4), torch.ones(1, 5)
        )

    both = join_tokens([tokens(1), tokens(3)])
    assert both.valid.tolist() == [[True, False, False], [True] * 3]
    assert both.values[0].tolist() == [[1, 1], [0, 0], [0, 0]]
    assert both.boxes is not None
    assert both.boxes.shape == (2, 3, 4)
    assert both.pooled is not None
    assert both.pooled.shape == (2, 5)


def test_what_does_not_fit_is_refused(tmp_path: Path, photos: list[Photo]) -> None:
    text, image = store(tmp_path, "t", 4), store(tmp_path, "i", 3)
    one, two = torch.tensor([0]), torch.tensor([0, 1])
    with pytest.raises(ShapeError, match=r"expected two \(B,\) indices, got \(1,\) and \(2,\)"):
        make_batch(text, image, one, two)
    with pytest.raises(ConfigError, match=r"a view beyond the first is requested of a store with one"):
        make_batch(text, image, one, one, view=torch.tensor([1]))
    with pytest.raises(ShapeError, match=r"image index from 0 to 3; there are 3"):
        load_pixels(PixelSource(photos, SPEC), torch.tensor([0, 3]))
    with pytest.raises(ShapeError, match=r"view index from 1 to 1; there are 1"):
        load_pixels(PixelSource(photos, SPEC), one, view=torch.tensor([1]))
    with pytest.raises(ShapeError, match=r"expected a \(B,\) image index, B > 0"):
        load_pixels(PixelSource(photos, SPEC), torch.tensor([], dtype=torch.int64))
    with pytest.raises(ShapeError, match=r"expected stores of one \(width, pooled width, grid, levels\)"):
        TokenViews((image, store(tmp_path, "wide", 3, width=5)))
    with pytest.raises(InputError, match=r"gone\.jpg: no such file"):
        load_pixels(PixelSource([Photo("x", tmp_path / "gone.jpg")], SPEC), one)
