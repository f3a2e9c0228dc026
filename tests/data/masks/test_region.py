"""COCO's polygons and run lengths, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from plait.core.errors import InputError
from plait.data.masks.region import outline, rasterise, runs_of
from plait.data.masks.source import Region


def encode(counts: list[int]) -> str:
    """Write run lengths as COCO's C code does."""
    text = ""
    for place, count in enumerate(counts):
        value = count - (counts[place - 2] if place > 2 else 0)
        more = True
        while more:
            bits = value & 31
            value >>= 5
            more = value != -1 if bits & 16 else value != 0
            text += chr((bits | 32 if more else bits) + 48)
    return text


def test_a_rectangle_holds_the_pixels_whose_centres_it_holds() -> None:
    mask = outline([1, 1, 4, 1, 4, 3, 1, 3], 4, 6, "m")
    assert mask.sum() == 6
    assert mask[1:3, 1:4].all()
    assert outline([1.6, 0, 4.4, 0, 4.4, 2, 1.6, 2], 2, 6, "m").astype(int).tolist() == [[0, 0, 1, 1, 0, 0]] * 2


def test_a_triangle_has_half_its_rectangle() -> None:
    assert outline([0, 0, 100, 0, 0, 100], 100, 100, "m").mean() == pytest.approx(0.5, abs=0.01)


def test_what_lies_beyond_the_picture_is_cut() -> None:
    assert outline([-5, -5, 50, -5, 50, 50, -5, 50], 3, 4, "m").all()
    assert not outline([10, 10, 20, 10, 20, 20], 3, 4, "m").any()
    assert not outline([1, -9, 2, -9, 2, -5], 3, 4, "m").any()


def test_parts_and_polygons_are_united() -> None:
    left, right = [0, 0, 2, 0, 2, 2, 0, 2], [1, 0, 4, 0, 4, 2, 1, 2]
    assert (
        rasterise(Region(2, 6, ((left, right),)), "m").tolist()
        == rasterise(Region(2, 6, ((left,), (right,))), "m").tolist()
    )
    assert rasterise(Region(2, 6, ((left, right),)), "m").sum() == 8


def test_run_lengths_go_down_the_columns() -> None:
    mask = rasterise(Region(2, 3, ([1, 2, 3],)), "m")
    assert mask.astype(int).tolist() == [[0, 1, 0], [1, 0, 0]]


@pytest.mark.parametrize("counts", [[6], [0, 6], [1, 2, 3], [5, 40, 3, 7, 900, 2, 1000]])
def test_compressed_run_lengths_are_decoded(counts: list[int]) -> None:
    assert runs_of(encode(counts), "m").tolist() == counts
    assert rasterise(Region(1, sum(counts), (encode(counts),)), "m").sum() == sum(counts[1::2])


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (([0, 0, 1, 1],), r"mask row 2: expected a polygon x0, y0, x1, y1, \.\.\. of at least 3 corners"),
        (([0, 0, 1, 1, 2, 2, 3],), "at least 3 corners"),
        (([0, 0, 1, float("nan"), 2, 2],), "at least 3 corners"),
        ([3, 2], r"run lengths cover 5 pixels, the image has 3 x 2"),
        ([-1, 7], "run lengths cover"),
        ("é", r"'é' is no character"),
        ("P", "end within a number"),
    ],
)
def test_what_cannot_be_drawn_is_refused(part: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rasterise(Region(2, 3, (part,)), "row 2")  # type: ignore[arg-type]


def test_an_empty_region_is_an_empty_mask() -> None:
    assert not np.any(rasterise(Region(2, 3, ()), "m"))
    assert not np.any(rasterise(Region(2, 3, ((),)), "m"))
