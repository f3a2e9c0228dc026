"""Masks: what is meant by each kind of file, what is refused, and the way to the encoder's square and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from plait.core.errors import ConfigError, InputError
from plait.core.types import ImageSpec
from plait.data.geometry import geometry_of
from plait.data.images import to_pixels
from plait.data.masks.load import frame_to_photo, load_mask, mask_to_frame
from plait.data.masks.source import MaskSource, Region

TRUTH = np.zeros((6, 8), dtype=bool)
TRUTH[1:3, 2:7] = True


def spec(fit: str, size_px: int = 64) -> ImageSpec:
    return ImageSpec(size_px, (0.5,) * 3, (0.5,) * 3, "bilinear", fit)  # type: ignore[arg-type]


def saved(path: Path, image: Image.Image) -> Path:
    image.save(path)
    return path


def rgba(opacity: np.ndarray) -> Image.Image:
    photo = np.random.default_rng(0).integers(40, 200, (*opacity.shape, 3), dtype=np.uint8)
    return Image.fromarray(np.dstack([photo, opacity]))


def palette(numbers: np.ndarray, colours: list[int]) -> Image.Image:
    image = Image.fromarray(numbers.astype(np.uint8))
    image = image.convert("L")
    shown = Image.new("P", image.size)
    shown.putdata(numbers.reshape(-1).tolist())
    shown.putpalette(colours)
    return shown


KINDS = {
    "grey": (Image.fromarray(TRUTH.astype(np.uint8) * 255), "foreground"),
    "zero and one": (Image.fromarray(TRUTH.astype(np.uint8)), "foreground"),
    "one bit": (Image.fromarray(TRUTH), "foreground"),
    "16 bit": (Image.fromarray(TRUTH.astype(np.uint16) * 65535), "foreground"),
    "colour": (Image.fromarray(np.repeat(TRUTH[:, :, None] * np.uint8(255), 3, axis=2)), "foreground"),
    "red on black": (Image.fromarray(TRUTH[:, :, None] * np.array([255, 0, 0], dtype=np.uint8)), "background"),
    "black on white": (Image.fromarray((~TRUTH).astype(np.uint8) * 255), "background"),
    "palette": (palette(TRUTH * 1, [0, 0, 0, 255, 255, 255]), "foreground"),
    "label of a palette": (palette(TRUTH * 7 + 3, [9, 9, 9] * 20), "label:10"),
    "label of a grey map": (Image.fromarray(np.where(TRUTH, 12, 255).astype(np.uint8)), "label:12"),
    "label of a 16-bit map": (Image.fromarray(np.where(TRUTH, 1200, 3).astype(np.uint16)), "label:1200"),
    "edit region": (rgba(np.where(TRUTH, 0, 255).astype(np.uint8)), "alpha"),
    "grey with opacity": (rgba(np.where(TRUTH, 0, 255).astype(np.uint8)).convert("LA"), "alpha"),
    "opaque RGBA": (
        Image.fromarray(np.dstack([TRUTH * np.uint8(255)] * 3 + [np.full((6, 8), 255, dtype=np.uint8)])),
        "foreground",
    ),
    "panoptic": (
        Image.fromarray(np.where(TRUTH[:, :, None], [4, 1, 0], [7, 0, 2]).astype(np.uint8)),
        "segment:9+260",
    ),
}


@pytest.mark.parametrize("name", [name for name in KINDS if name != "red on black"])
def test_each_kind_is_read_by_its_polarity(tmp_path: Path, name: str) -> None:
    image, polarity = KINDS[name]
    mask = load_mask(MaskSource(saved(tmp_path / "m.png", image), polarity), (6, 8))
    assert mask.dtype == np.bool_
    np.testing.assert_array_equal(mask, TRUTH)


def test_soft_edges_are_cut_at_the_middle(tmp_path: Path) -> None:
    levels = np.zeros((10, 10), dtype=np.uint8)
    levels[:5], levels[5, :5], levels[5, 5:] = 255, 128, 127
    mask = load_mask(MaskSource(saved(tmp_path / "m.png", Image.fromarray(levels))))
    assert mask.sum() == 55
    assert load_mask(MaskSource(tmp_path / "m.png", "background")).sum() == 45


@pytest.mark.parametrize(
    ("image", "polarity", "message"),
    [
        (KINDS["edit region"][0], "foreground", r"20\.8 % of it is transparent; declare 'alpha'"),
        (KINDS["grey with opacity"][0], "background", r"declared 'background', but 20\.8 % of it is transparent"),
        (KINDS["grey"][0], "alpha", r"its pixels \(L\) have no transparency; declare 'foreground'"),
        (
            palette(TRUTH * 1, [255, 255, 255, 0, 0, 0]),
            "foreground",
            r"palette contradicts.*label:N.*\(it has 0, 1\)",
        ),
        (Image.fromarray((TRUTH * 3 + np.arange(8) % 2).astype(np.uint8)), "foreground", r"the numbers 0, 1, 3, 4"),
        (Image.fromarray((TRUTH * 900 + np.arange(8)).astype(np.uint16)), "foreground", r"as label maps do"),
        (Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)), "foreground", r"50 % of it is neither dark"),
        (KINDS["edit region"][0].convert("RGB"), "foreground", r"neither dark nor light: a photo"),
        (KINDS["edit region"][0].convert("RGB"), "label:3", r"it is in colours, and label maps have one number"),
        (KINDS["grey"][0], "segment:3", r"expected a panoptic PNG in colour"),
        (Image.fromarray(TRUTH.astype(np.int32) - 1), "foreground", r"numbers below 0"),
    ],
)
def test_what_needs_a_guess_is_refused(tmp_path: Path, image: Image.Image, polarity: str, message: str) -> None:
    path = saved(tmp_path / ("m.tiff" if image.mode == "I" else "m.png"), image)
    with pytest.raises(InputError, match=message):
        load_mask(MaskSource(path, polarity, "pairs.csv, row 4"))


def test_messages_name_the_row_and_the_file(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.png", KINDS["grey"][0])
    with pytest.raises(InputError, match=r"mask pairs\.csv, row 4: .*m\.png: 8 x 6 px, but its image has 6 x 8; save"):
        load_mask(MaskSource(path, where="pairs.csv, row 4"), (8, 6))
    with pytest.raises(InputError, match=r"mask row 1: .*gone\.png: no such file"):
        load_mask(MaskSource(tmp_path / "gone.png", where="row 1"))
    (tmp_path / "bad.png").write_bytes(path.read_bytes()[:50])
    with pytest.raises(InputError, match=r"bad\.png: cannot be decoded, damaged or cut short"):
        load_mask(MaskSource(tmp_path / "bad.png"))
    with pytest.raises(InputError, match=r"mask in memory: expected an array .* got \(2, 2\) float64"):
        load_mask(MaskSource(np.zeros((2, 2))))


def test_an_exif_turn_of_the_photo_counts(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter: 8 x 6 as stored is 6 x 8 as seen
    Image.new("RGB", (8, 6)).save(tmp_path / "p.jpg", exif=exif)
    assert load_mask(MaskSource(np.ones((8, 6), dtype=bool)), tmp_path / "p.jpg").all()
    with pytest.raises(InputError, match=r"8 x 6 px, but its image has 6 x 8"):
        load_mask(MaskSource(TRUTH), tmp_path / "p.jpg")


@pytest.mark.parametrize("polarity", ["", "white", "label:", "label:x", "segment:", "segment:1+", "Alpha"])
def test_unknown_polarities_are_refused(polarity: str) -> None:
    with pytest.raises(ConfigError, match=r"mask polarity .*: expected one of foreground, background, alpha, label:N"):
        MaskSource(TRUTH, polarity)


def test_digests_tell_content_and_polarity_apart(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.png", KINDS["grey"][0])
    region = Region(6, 8, (([0, 0, 4, 0, 4, 4],),))
    all_of_them = [
        MaskSource(path),
        MaskSource(path, "background"),
        MaskSource(TRUTH),
        MaskSource(~TRUTH),
        MaskSource(region),
        MaskSource(Region(6, 8, ((48,),))),
    ]
    assert len({source.digest for source in all_of_them}) == 6
    assert MaskSource(path, where="elsewhere").digest == all_of_them[0].digest
    with pytest.raises(InputError, match=r"mask row 3: .*cannot be read: No such file"):
        _ = MaskSource(tmp_path / "gone.png", where="row 3").digest


def test_shares_by_hand() -> None:
    mask = np.zeros((2, 4), dtype=bool)
    mask[:, 0] = True
    squash = mask_to_frame(mask, spec("squash", 4), cells=(1, 2))
    assert squash.values.tolist() == [[[0.5, 0.0]]]
    assert squash.valid.all()
    # The middle 2 x 2 of it: none of the first column is left.
    assert mask_to_frame(mask, spec("crop", 4), cells=(1, 2)).values.tolist() == [[[0.0, 0.0]]]
    # 4 x 2 of 4 x 4, rows 1 and 2: of 4 rows of cells the first and last are padding.
    pad = mask_to_frame(mask, spec("pad", 4), cells=(4, 4))
    assert pad.valid[0, :, 0].tolist() == [False, True, True, False]
    assert pad.values[0, 1].tolist() == [1.0, 0.0, 0.0, 0.0]
    # Cells that are half padding count, by their half that is photo.
    half = mask_to_frame(mask, spec("pad", 4), cells=(2, 4))
    assert half.valid.all()
    assert half.values[0].tolist() == [[1.0, 0.0, 0.0, 0.0]] * 2
    flipped = mask_to_frame(mask, spec("squash", 4), cells=(1, 2), view="flip")
    assert flipped.values.tolist() == [[[0.0, 0.5]]]


@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
@pytest.mark.parametrize("view", ["full", "flip", "crop0", "crop1"])
@pytest.mark.parametrize("size", [(37, 91), (120, 45), (64, 64)])
def test_a_target_lies_where_the_pixels_lie(fit: str, view: str, size: tuple[int, int]) -> None:
    """Paint the mask into a photo: what the encoder sees there must be what the target says."""
    mask = np.zeros(size, dtype=bool)
    mask[size[0] // 3 : size[0] // 3 * 2, size[1] // 5 : size[1] // 2] = True
    rgb = np.repeat(mask[:, :, None] * np.uint8(255), 3, axis=2)
    seen = (to_pixels(rgb, spec(fit), view=view, seed=3)[0] + 1) / 2
    target = mask_to_frame(mask, spec(fit), cells=(16, 16), view=view, seed=3)
    cells = seen.reshape(16, 4, 16, 4).mean((1, 3))
    inner = torch.nn.functional.avg_pool2d(target.valid[0].float()[None], 3, 1, 1)[0] == 1  # away from half-padded rims
    assert inner.any()
    assert float((cells - target.values[0])[inner].abs().max()) < 0.3
    assert float((cells - target.values[0])[inner].abs().mean()) < 0.03


@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
@pytest.mark.parametrize("size", [(37, 91), (121, 45), (300, 301), (5, 3)])
def test_there_and_back_is_aligned_within_half_a_cell(fit: str, size: tuple[int, int]) -> None:
    place = geometry_of(*size, spec(fit))
    cells = 32
    mask = np.zeros(size, dtype=bool)
    mask[size[0] // 4 : size[0] - size[0] // 3, size[1] // 3 : size[1] - size[1] // 4] = True
    back = frame_to_photo(mask_to_frame(mask, spec(fit), cells=(cells, cells)).values[0], place) > 0.5
    assert back.shape == size
    cell_y = (place.box[3] - place.box[1]) / (place.target[3] - place.target[1]) * place.size_px / cells
    cell_x = (place.box[2] - place.box[0]) / (place.target[2] - place.target[0]) * place.size_px / cells
    x0, y0, x1, y1 = place.box
    for axis, cell, low, high in ((0, cell_y, y0, y1), (1, cell_x, x0, x1)):
        true, got = (np.flatnonzero(some.any(axis=1 - axis)) for some in (mask, back))
        assert abs(max(true[0], low) - got[0]) <= cell / 2 + 1
        assert abs(min(true[-1], high - 1) - got[-1]) <= cell / 2 + 1


def test_extreme_shapes(tmp_path: Path) -> None:
    one = mask_to_frame(np.ones((1, 1), dtype=bool), spec("pad"), cells=(8, 8))
    assert one.valid.all()
    assert (one.values == 1).all()
    thin = mask_to_frame(np.ones((1, 12_000), dtype=bool), spec("pad"), cells=(8, 8))
    assert thin.valid.sum() == 8
    assert frame_to_photo(thin.values[0], geometry_of(1, 12_000, spec("pad"))).shape == (1, 12_000)
    Image.new("1", (12_000, 7_000), 1).save(tmp_path / "wide.png")
    wide = load_mask(MaskSource(tmp_path / "wide.png"), (7_000, 12_000))
    assert float(mask_to_frame(wide, spec("squash"), cells=(4, 4)).values.min()) == pytest.approx(1.0, abs=1e-4)
    Image.new("1", (12_000, 12_000), 1).save(tmp_path / "huge.png")
    with pytest.raises(InputError, match=r"huge\.png: .*pixels.*ake it smaller first"):
        load_mask(MaskSource(tmp_path / "huge.png", where="row 2"))


def test_what_is_no_mask_is_refused() -> None:
    with pytest.raises(InputError, match=r"expected a \(H, W\) bool mask, got \(2, 2\) uint8"):
        mask_to_frame(np.zeros((2, 2), dtype=np.uint8), spec("pad"), cells=(2, 2))
    with pytest.raises(ConfigError, match=r"cells: expected at least 1 a side"):
        mask_to_frame(TRUTH, spec("pad"), cells=(0, 2))


def test_cut_off_parts_get_what_is_said() -> None:
    back = frame_to_photo(np.ones((4, 4)), geometry_of(10, 30, spec("crop")), outside=0.25)
    assert (back[:, 10:20] == 1).all()
    assert (back[:, :10] == 0.25).all()
