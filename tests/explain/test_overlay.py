"""Overlays: one colour per cell, a scale that begins at 0, and refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from plait.core.errors import InputError, ShapeError, StorageError
from plait.core.types import ImageSpec
from plait.data.geometry import geometry_of
from plait.explain.overlay import COLOURS, colour_scale, grid_box, overlay, paint_mask, save_png


def test_scale_runs_from_0_to_the_largest_weight() -> None:
    colours = colour_scale(np.array([0.0, 0.5, 1.0, 2.0]))
    assert colours[0].tolist() == list(COLOURS[0])
    assert colours[2].tolist() == list(COLOURS[2])
    assert colours[3].tolist() == list(COLOURS[4])
    # a uniform map looks uniform, and a map of zeros is dark
    assert len(np.unique(colour_scale(np.full((3, 3), 0.1)).reshape(-1, 3), axis=0)) == 1
    assert colour_scale(np.zeros(2)).tolist() == [list(COLOURS[0])] * 2
    assert colour_scale(np.array([1.0]), top=2.0)[0].tolist() == list(COLOURS[2])


def test_lightness_rises_with_weight() -> None:
    light = colour_scale(np.linspace(0, 1, 30)) @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(light) > 0).all()


def test_every_pixel_of_a_cell_has_its_one_colour() -> None:
    weights = np.arange(6.0).reshape(2, 3)
    drawn = overlay(np.zeros((40, 60, 3), dtype=np.uint8), weights, opacity=1.0)
    expected = colour_scale(weights).repeat(20, axis=0).repeat(20, axis=1)
    assert (drawn == expected).all()


def test_opacity_blends_and_the_image_is_not_changed() -> None:
    image = np.full((8, 8, 3), 200, dtype=np.uint8)
    assert (overlay(image, np.ones((2, 2)), opacity=0.0) == 200).all()
    half = overlay(image, np.zeros((2, 2)), opacity=0.5)
    assert half[0, 0].tolist() == [(200 + c) / 2 for c in COLOURS[0]]
    assert (image == 200).all()


def test_what_the_model_never_saw_is_darkened() -> None:
    image = np.full((10, 20, 3), 100, dtype=np.uint8)
    drawn = overlay(image, np.ones((1, 1)), box=(0.25, 0.0, 0.75, 1.0), opacity=0.0)
    assert (drawn[:, 5:15] == 100).all()
    assert (drawn[:, :5] == 35).all()
    assert (drawn[:, 15:] == 35).all()


def test_grid_box_of_crop_and_pad_agrees_with_the_geometry() -> None:
    for fit in ("squash", "crop", "pad"):
        spec = ImageSpec(64, (0.5,) * 3, (0.5,) * 3, fit=fit)  # type: ignore[arg-type]
        geometry = geometry_of(60, 100, spec)
        weights = np.arange(1.0, 17.0).reshape(4, 4)
        ours = overlay(np.zeros((60, 100, 3), dtype=np.uint8), weights, box=grid_box(geometry), opacity=1.0)
        there = geometry.to_photo(weights, smooth=False)
        expected = np.where(there[..., None] > 0, colour_scale(there, top=16.0), 0)
        assert (ours == expected).mean() > 0.98, fit  # padding is whole pixels: an edge may fall on the next one
    assert grid_box(geometry_of(50, 100, ImageSpec(64, (0.5,) * 3, (0.5,) * 3))) == (0.25, 0.0, 0.75, 1.0)
    with pytest.raises(InputError, match="expected an unmirrored view"):
        grid_box(geometry_of(50, 100, ImageSpec(64, (0.5,) * 3, (0.5,) * 3), view="flip"))


def test_saves_what_it_draws(tmp_path: Path) -> None:
    drawn = overlay(np.zeros((6, 6, 3), dtype=np.uint8), np.eye(3))
    path = save_png(drawn, tmp_path / "new" / "map.png")
    assert (np.asarray(Image.open(path)) == drawn).all()


def test_refuses_what_is_not_a_map(tmp_path: Path) -> None:
    image = np.zeros((4, 4, 3), dtype=np.uint8)
    with pytest.raises(ShapeError, match=r"map \(h, w\), got \(4, 4\)"):
        overlay(image[..., 0], np.ones((2, 2)))
    with pytest.raises(InputError, match="uint8 from 0 to 255, got float32"):
        overlay(image.astype(np.float32), np.ones((2, 2)))
    with pytest.raises(InputError, match="expected finite numbers of at least 0"):
        overlay(image, np.array([[-1.0]]))
    with pytest.raises(InputError, match=r"opacity in \[0, 1\] and x0 < x1, y0 < y1; got 2"):
        overlay(image, np.ones((2, 2)), opacity=2)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        save_png(image, tmp_path / "file" / "map.png")


def test_paints_a_region_and_nothing_else() -> None:
    image = np.full((2, 3, 3), 100, dtype=np.uint8)
    mask = np.array([[True, False, False], [False, False, True]])
    painted = paint_mask(image, mask, colour=(200, 0, 100), opacity=0.5)
    assert painted[0, 0].tolist() == painted[1, 2].tolist() == [150, 50, 100]
    assert (painted[~mask] == 100).all()
    assert (image == 100).all()
    with pytest.raises(ShapeError, match=r"expected \(H, W, 3\) and \(H, W\) bool, got \(2, 3, 3\) and \(3, 2\)"):
        paint_mask(image, mask.T)
    with pytest.raises(InputError, match=r"uint8 and opacity in \[0, 1\], got uint8 and 2"):
        paint_mask(image, mask, opacity=2)
