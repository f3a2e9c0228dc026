"""Photos of every kind, the views, and the way back to the photo's size."""

from __future__ import annotations

import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from plait.core.errors import ConfigError, InputError
from plait.core.types import ImageSpec
from plait.data.image_files import check_photo
from plait.data.images import Geometry, geometry_of, load_rgb, normalise, read_pixels, thumbnail_jpeg, to_pixels
from tests.data.photos import noise, save_photo

PLAIN = ImageSpec(8, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "bilinear", "crop")


def spec(size_px: int = 8, fit: str = "crop") -> ImageSpec:
    return ImageSpec(size_px, (0.5, 0.4, 0.3), (0.2, 0.25, 0.5), "bilinear", fit)  # type: ignore[arg-type]


def test_normalise_by_hand_and_back() -> None:
    rgb = np.array([[[255, 102, 0]]], dtype=np.uint8)
    pixels = normalise(rgb, spec())
    # (1 - 0.5) / 0.2, (0.4 - 0.4) / 0.25, (0 - 0.3) / 0.5
    torch.testing.assert_close(pixels.flatten(), torch.tensor([2.5, 0.0, -0.6]))
    big = noise(5, 7)
    mean, std = (torch.tensor(values)[:, None, None] for values in (spec().mean, spec().std))
    back = ((normalise(big, spec()) * std + mean) * 255).round().permute(1, 2, 0)
    assert np.array_equal(back.numpy(), big)


@pytest.mark.parametrize(
    ("mode", "fill", "expected"),
    [
        ("L", 100, (100, 100, 100)),
        ("1", 1, (255, 255, 255)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 0), (255, 255, 255)),
        ("LA", (50, 255), (50, 50, 50)),
        ("I;16", 25700, (100, 100, 100)),
    ],
)
def test_kinds_of_png(tmp_path: Path, mode: str, fill: object, expected: tuple[int, int, int]) -> None:
    path = tmp_path / "a.png"
    Image.new(mode, (3, 2), fill).save(path)  # type: ignore[arg-type]
    rgb = load_rgb(path)
    assert rgb.shape == (2, 3, 3)
    assert rgb.dtype == np.uint8
    assert (rgb == np.array(expected)).all()


def test_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png", transparency=1)
    assert load_rgb(tmp_path / "a.png").tolist() == [[[255, 0, 0], [255, 255, 255]]]
    image.save(tmp_path / "b.png")
    assert load_rgb(tmp_path / "b.png").tolist() == [[[255, 0, 0], [0, 0, 255]]]


def test_cmyk_and_exif_rotation(tmp_path: Path) -> None:
    Image.new("CMYK", (16, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    red = load_rgb(tmp_path / "a.jpg")
    assert red.shape == (8, 16, 3)
    assert np.abs(red.astype(int) - [255, 0, 0]).max() < 12
    lying = np.zeros((8, 16, 3), dtype=np.uint8)
    lying[:, 8:] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise: the right half comes to lie below
    Image.fromarray(lying).save(tmp_path / "b.jpg", exif=exif, quality=95)
    upright = load_rgb(tmp_path / "b.jpg")
    assert upright.shape == (16, 8, 3)
    assert upright[:7].max() < 30
    assert upright[9:].min() > 225


def test_one_pixel_and_one_row_become_squares(tmp_path: Path) -> None:
    assert (to_pixels(np.full((1, 1, 3), 51, dtype=np.uint8), PLAIN) - 0.2).abs().max() < 1e-6
    for fit in ("crop", "pad", "squash"):
        pixels = to_pixels(noise(1, 30_000), spec(fit=fit), view="crop3")
        assert pixels.shape == (3, 8, 8)
        assert pixels.isfinite().all()


def test_broken_photos_say_what_is_wrong(tmp_path: Path) -> None:
    good = io.BytesIO()
    Image.fromarray(noise(64, 64)).save(good, format="JPEG")
    (tmp_path / "cut.jpg").write_bytes(good.getvalue()[: len(good.getvalue()) // 2])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("hello, I am not a photo")
    png = io.BytesIO()
    Image.fromarray(noise(64, 64)).save(png, format="PNG")
    (tmp_path / "cut.png").write_bytes(png.getvalue()[:2000])
    for name, message in {
        "cut.jpg": r"cut\.jpg: cannot be decoded, damaged or cut short",
        "cut.png": r"cut\.png: cannot be decoded, damaged or cut short",
        "empty.jpg": r"empty\.jpg: the file is empty \(0 bytes\)",
        "text.jpg": r"text\.jpg: not an image of a known kind",
        "gone.jpg": r"gone\.jpg: no such file",
        "": r"is a folder",
    }.items():
        with pytest.raises(InputError, match=message):
            load_rgb(tmp_path / name)
        assert check_photo(tmp_path / name) is not None
    assert check_photo(save_photo(tmp_path / "fine.jpg")) is None


def huge_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [10_000, 20_000])
def test_decompression_bombs_are_refused_before_decoding(tmp_path: Path, side: int) -> None:
    (tmp_path / "bomb.png").write_bytes(huge_png(side, side))
    with pytest.raises(InputError, match=r"89,478,485 (pixels|in all)"):
        load_rgb(tmp_path / "bomb.png")


def test_arrays_of_another_kind_are_refused() -> None:
    for wrong in (np.zeros((2, 2), np.uint8), np.zeros((2, 2, 3), np.float32), np.zeros((0, 2, 3), np.uint8)):
        with pytest.raises(InputError, match=r"expected a \(H, W, 3\) uint8 array"):
            load_rgb(wrong)
    with pytest.raises(InputError, match=r"image in memory: 20000 x 5000 pixels; expected at most"):
        load_rgb(np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (5000, 20000, 3)))


def test_float_and_32_bit_pixels_are_refused(tmp_path: Path) -> None:
    Image.new("F", (2, 2), 0.5).save(tmp_path / "f.tiff")
    with pytest.raises(InputError, match=r"floating-point pixels have no defined range"):
        load_rgb(tmp_path / "f.tiff")
    Image.new("I", (2, 2), 100_000).save(tmp_path / "i.tiff")
    with pytest.raises(InputError, match=r"32-bit grey values 100000 to 100000"):
        load_rgb(tmp_path / "i.tiff")


def test_large_jpegs_are_decoded_small_but_not_too_small(tmp_path: Path) -> None:
    Image.fromarray(noise(400, 640)).save(tmp_path / "a.jpg")
    assert load_rgb(tmp_path / "a.jpg").shape == (400, 640, 3)
    assert load_rgb(tmp_path / "a.jpg", enough_px=100).shape == (100, 160, 3)
    assert load_rgb(tmp_path / "a.jpg", enough_px=101).shape == (200, 320, 3)
    assert read_pixels(tmp_path / "a.jpg", spec(16)).shape == (3, 16, 16)


def test_views() -> None:
    rgb = noise(20, 30)
    full, flip = to_pixels(rgb, PLAIN), to_pixels(rgb, PLAIN, view="flip")
    assert torch.equal(full.flip(-1), flip)
    assert torch.equal(to_pixels(rgb, PLAIN, view="crop4"), to_pixels(rgb, PLAIN, view="crop4"))
    assert not torch.equal(to_pixels(rgb, PLAIN, view="crop4"), to_pixels(rgb, PLAIN, view="crop4", seed=1))
    for number in range(10):
        place = geometry_of(200, 300, spec(fit="squash"), view=f"crop{number}")
        x0, y0, x1, y1 = place.box
        assert 0.7 <= (x1 - x0) * (y1 - y0) / 60_000 <= 1.0
        assert math.isclose((x1 - x0) / (y1 - y0), 1.5)
        assert 0 <= x0 < x1 <= 300
        assert 0 <= y0 < y1 <= 200
        assert place.mirrored == (number % 2 == 1)
    for wrong in ("crop", "zoom", "crop-1", "crop²"):
        with pytest.raises(ConfigError, match=r"unknown view .*; expected 'full', 'flip' or 'crop'"):
            to_pixels(rgb, PLAIN, view=wrong)


def test_fits_by_hand() -> None:
    assert geometry_of(100, 300, spec()).box == (100, 0, 200, 100)
    assert geometry_of(100, 300, spec(fit="squash")).box == (0, 0, 300, 100)
    pad = geometry_of(100, 400, spec(fit="pad"))
    assert pad.box == (0, 0, 400, 100)
    assert pad.target == (0, 3, 8, 5)
    pixels = to_pixels(np.full((100, 400, 3), 255, dtype=np.uint8), spec(fit="pad"))
    assert (pixels[:, 3:5] > 0.9).all()
    assert (pixels[:, :3] == 0).all()
    assert (pixels[:, 5:] == 0).all()


def test_to_photo_by_hand() -> None:
    place = Geometry(2, 4, 2, (0.0, 0.0, 4.0, 2.0), (0, 0, 2, 2), False)
    # Photo pixel centres 0.5 1.5 2.5 3.5 lie at 0.25 0.75 1.25 1.75 of the square; cell centres at 0.5 and 1.5.
    row = [0.0, 0.25, 0.75, 1.0]
    assert place.to_photo(torch.tensor([[0.0, 1.0], [0.0, 1.0]])).tolist() == [row, row]
    mask = np.array([[False, True], [False, False]])
    back = place.to_photo(mask, smooth=False)
    assert back.dtype == np.bool_
    assert back.tolist() == [[False, False, True, True], [False] * 4]
    with pytest.raises(InputError, match=r"expected values of shape \(h, w\), got \(2,\)"):
        place.to_photo(np.zeros(2))


@pytest.mark.parametrize("fit", ["crop", "squash", "pad"])
@pytest.mark.parametrize("view", ["full", "flip", "crop0", "crop1"])
@pytest.mark.parametrize("size", [(61, 97), (97, 60)])
def test_ramps_come_back_to_where_they_were(fit: str, view: str, size: tuple[int, int]) -> None:
    # A ramp is its own bilinear interpolation: whatever is shown of it must return to its place, corners included.
    height, width = size
    down, across = np.mgrid[0:height, 0:width] + 0.5
    rgb = np.stack([across, down, across * 0], axis=2).round().astype(np.uint8)
    large = ImageSpec(128, (0.0, 0.0, 0.0), (1 / 255,) * 3, "bilinear", fit)  # type: ignore[arg-type]
    pixels = to_pixels(rgb, large, view=view)
    place = geometry_of(height, width, large, view=view)
    for channel, truth in ((0, across), (1, down)):
        back = place.to_photo(pixels[channel], outside=float("nan"))
        assert back.shape == size
        inside = back[~np.isnan(back)]
        assert len(inside) >= 0.4 * back.size
        assert np.abs(inside - truth[~np.isnan(back)]).max() < 1.3


def test_thumbnails() -> None:
    small = Image.open(io.BytesIO(thumbnail_jpeg(noise(100, 200), 50)))
    assert (small.format, small.size) == ("JPEG", (50, 25))
    assert Image.open(io.BytesIO(thumbnail_jpeg(noise(10, 20), 50))).size == (20, 10)
