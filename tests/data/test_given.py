"""What may be given as images, texts, fusions, seeds and paths, and what is refused by its position."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from plait.core.errors import ConfigError, InputError
from plait.data.given import as_path, fusion_names, image_list, photo_of, seed_list, text_list
from plait.data.images import load_rgb

RGB = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
GREY = RGB[:, :, 0]


def png(mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(RGB).convert(mode).save(buffer, format="PNG")
    return buffer.getvalue()


WAYS: dict[str, Callable[[Path], Any]] = {
    "str": lambda folder: str(folder / "a.png"),
    "path": lambda folder: folder / "a.png",
    "bytes": lambda folder: png(),
    "bytearray": lambda folder: bytearray(png()),
    "pillow": lambda folder: Image.fromarray(RGB),
    "opened": lambda folder: Image.open(folder / "a.png"),
    "array": lambda folder: RGB,
    "view": lambda folder: RGB[::-1][::-1],
    "tensor": lambda folder: torch.from_numpy(RGB).permute(2, 0, 1),
    "float": lambda folder: (torch.from_numpy(RGB).permute(2, 0, 1) / 255).requires_grad_(),
}


@pytest.mark.parametrize("way", WAYS)
def test_an_image_is_the_same_pixels_whatever_it_is_given_as(way: str, tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.png")
    image = WAYS[way](tmp_path)
    for given in (image, [image], (image,), iter([image])):
        (photo,) = image_list(given)
        np.testing.assert_array_equal(load_rgb(photo.source), RGB)


def test_grey_images_become_rgb() -> None:
    wanted = np.repeat(GREY[:, :, None], 3, axis=2)
    for image in (GREY, GREY[:, :, None], Image.fromarray(GREY)):
        np.testing.assert_array_equal(load_rgb(photo_of(image, "image").source), wanted)


def test_pillow_images_are_turned_upright_and_transparent_ones_lie_on_white() -> None:
    image = Image.fromarray(RGB)
    image.getexif()[0x0112] = 6
    np.testing.assert_array_equal(load_rgb(photo_of(image, "image").source), np.rot90(RGB, -1))
    clear = Image.new("RGBA", (2, 2), (10, 20, 30, 0))
    assert (load_rgb(photo_of(clear, "image").source) == 255).all()


def test_sequences_of_images() -> None:
    batch = np.stack([RGB, RGB])
    assert len(image_list(batch)) == 2
    assert len(image_list(torch.from_numpy(batch).permute(0, 3, 1, 2))) == 2
    assert [photo.id for photo in image_list(np.array(["a.jpg", "b.jpg"]))] == ["a.jpg", "b.jpg"]
    assert [photo.id for photo in image_list(["a.jpg", RGB, Path("c.jpg")])] == ["a.jpg", "array 1", "c.jpg"]
    pandas = pytest.importorskip("pandas")
    assert [photo.id for photo in image_list(pandas.Series(["a.jpg", "b.jpg"]))] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (None, "expected a path, the bytes .*, got None"),
        (3, "got 3, int"),
        ({"a": 1}, "got a value of type dict"),
        ("", "expected a path, got an empty one"),
        (b"", "0 bytes"),
        (b"no image", "8 bytes that are no image"),
        (png()[:-30], "damaged or cut short"),
        (RGB.astype(np.float32), r"got \(4, 5, 3\) float32; scale to 0 to 255"),
        (RGB.transpose(2, 0, 1), r"got \(3, 4, 5\) uint8; channels come last"),
        (np.zeros((4, 5, 4), np.uint8), "leave out the fourth channel"),
        (np.zeros((0, 5, 3), np.uint8), r"got \(0, 5, 3\)"),
        (RGB.astype(bool), "got .* bool"),
        (torch.zeros(4, 5, 3), r"tensor \(3, H, W\).*got \(4, 5, 3\)"),
        (torch.full((3, 4, 5), 255.0), r"torch.float32 from 255 to 255; undo its normalisation"),
        (torch.full((3, 4, 5), float("nan")), "from nan to nan"),
        (torch.zeros(3, 4, 5, dtype=torch.int64), "got torch.int64"),
        (torch.zeros(3, 0, 5), r"got \(3, 0, 5\)"),
        (Image.new("F", (2, 2)), "no defined range"),
    ],
)
def test_what_is_no_image_is_named_by_its_position(image: object, message: str) -> None:
    with pytest.raises(InputError, match=rf"image 2 of 3.*{message}"):
        image_list([RGB, image, RGB])


@pytest.mark.parametrize("images", [None, {"a.jpg": 1}, {"a.jpg"}, np.array(3, np.uint8)])
def test_what_is_no_sequence_of_images_is_refused(images: object) -> None:
    with pytest.raises(InputError, match="image"):
        image_list(images)


def test_no_image_is_refused() -> None:
    for images in ([], (), iter([]), np.array([], dtype=str)):
        with pytest.raises(InputError, match="expected at least one photo, got none"):
            image_list(images)


@pytest.mark.parametrize("texts", [["a", "b c"], ("a", "b c"), np.array(["a", "b c"]), iter(["a", "b c"])])
def test_any_sequence_of_texts(texts: Any) -> None:
    found = text_list(texts)
    assert found == ["a", "b c"]
    assert {type(text) for text in found} == {str}


def test_one_text_is_a_list_of_one() -> None:
    assert text_list("a dog") == ["a dog"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "at least one sentence"),
        (["a", " "], "sentence 2 of 2 is empty"),
        (["a", None], "sentence 2 of 2: expected a string, got None"),
        ([3, "a"], "sentence 1 of 2: expected a string, got 3, int"),
        ([b"a"], "got a value of type bytes"),
        (None, "a sentence or a list of sentences, got None"),
        (b"a", "a list of sentences, got a value of type bytes"),
        ({"a": 1}, "use a list"),
    ],
)
def test_what_is_no_text_is_named_by_its_position(texts: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        text_list(texts)


@pytest.mark.parametrize("given", ["late,cross", " late , cross ,", ["late", "cross"], ("late", "cross")])
def test_fusions_are_a_list_or_a_line(given: Any) -> None:
    assert fusion_names(given) == ["late", "cross"]
    assert fusion_names("late") == ["late"]


@pytest.mark.parametrize("given", ["", [], [" "], None, [None], 3])
def test_no_fusion_is_refused(given: Any) -> None:
    with pytest.raises(ConfigError, match="fusion"):
        fusion_names(given)


def test_seeds_are_how_many_or_which() -> None:
    assert seed_list(3) == [0, 1, 2]
    assert seed_list(np.int64(2)) == [0, 1]
    assert seed_list([5, 1, 5]) == [5, 1]
    assert seed_list(range(2, 4)) == [2, 3]
    assert seed_list(np.array([4, 7])) == [4, 7]
    assert seed_list(iter((2**32 - 1,))) == [2**32 - 1]


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        ("3", r"seeds=3, or which, as in seeds=\[0, 3\]; got '3'"),
        (0, "from 1 to 1,000"),
        (-1, "from 1"),
        (1001, "at most|to 1,000"),
        (True, "got True"),
        (2.5, "whole number"),
        (None, "got None"),
        ([], "at least one seed"),
        ([3, -1], r"number 2: expected .* from 0 to 4,294,967,295, got -1"),
        ([2**32], "got 4294967296"),
        (["1"], "leave out the quotes"),
        ([1.0], "whole number"),
        ({1, 2}, "no order"),
    ],
)
def test_what_are_no_seeds_is_refused(seeds: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        seed_list(seeds)


def test_paths_are_strings_or_paths_and_not_empty(tmp_path: Path) -> None:
    assert as_path(str(tmp_path), "out") == as_path(tmp_path, "out") == tmp_path
    for wrong in ("", "  ", None, 3, "a\0b"):
        with pytest.raises(ConfigError, match="out: expected a path"):
            as_path(wrong, "out")
