"""Figures of masks: numbers worked by hand, empty masks, constants under both polarities, and what each image adds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.core.errors import ConfigError, InputError, ShapeError
from plait.metrics.mask import (
    boundary_f,
    boundary_of,
    constant_overlap,
    mask_contributions,
    mask_metrics,
    overlap_of,
)
from plait.metrics.mask_counts import Overlap
from plait.metrics.statistics import bootstrap_interval


def box(top: int, left: int, bottom: int, right: int, size: tuple[int, int] = (20, 20)) -> np.ndarray:
    mask = np.zeros(size, dtype=bool)
    mask[top:bottom, left:right] = True
    return mask


def overlap(*columns: list[int]) -> Overlap:
    return Overlap(*(np.array(column) for column in columns))


def test_figures_worked_by_hand() -> None:
    # 4 x 4 against the same moved by 2: 8 shared of 24; equal boxes; 2 x 2 against 10 x 10 around it: 4 of 100
    predicted = np.stack([box(0, 0, 4, 4), box(3, 3, 9, 9), box(0, 0, 2, 2)])
    truth = np.stack([box(2, 0, 6, 4), box(3, 3, 9, 9), box(0, 0, 10, 10)])
    found = overlap_of(predicted, truth)
    assert found.both.tolist() == [8, 36, 4]
    assert found.either.tolist() == [24, 36, 100]
    assert (found.predicted.tolist(), found.true.tolist()) == ([16, 36, 4], [16, 36, 100])
    figures = mask_metrics(found, np.array([0.5, 1.0, 0.0]))
    assert figures["miou"] == pytest.approx(100 * (1 / 3 + 1 + 0.04) / 3)
    assert figures["oiou"] == pytest.approx(100 * 48 / 160)
    assert figures["dice"] == pytest.approx(100 * (0.5 + 1 + 8 / 104) / 3)
    assert [figures[f"p{level}"] for level in (50, 70, 90)] == pytest.approx([100 / 3] * 3)
    assert figures["boundary_f"] == pytest.approx(50)
    assert "boundary_f" not in mask_metrics(found)


def test_a_level_that_is_just_reached_counts() -> None:
    figures = mask_metrics(overlap([1, 7, 9], [2, 10, 10], [1, 7, 9], [2, 10, 10]))
    assert [figures[f"p{level}"] for level in (50, 70, 90)] == pytest.approx([100, 200 / 3, 100 / 3])


def test_empty_masks_are_right_only_if_nothing_is_predicted() -> None:
    figures = mask_metrics(overlap([0, 0], [0, 5], [0, 5], [0, 0]))
    assert (figures["miou"], figures["dice"], figures["oiou"]) == (50, 50, 0)
    assert mask_metrics(overlap([0], [0], [0], [0]))["oiou"] == 100


@pytest.mark.parametrize("share", [0.02, 0.04, 0.1, 0.2])
def test_constants_under_both_polarities(share: float) -> None:
    """Marking everything scores the region's share, and 1 - share where the mask is read with the wrong polarity."""
    pixels = np.array([10_000, 10_000])
    true = np.array([round(share * 10_000)] * 2)
    for region, expected in ((true, share), (pixels - true, 1 - share)):
        everything = constant_overlap(region, pixels, foreground=True)
        assert mask_metrics(everything)["miou"] == pytest.approx(100 * expected)
        nothing = constant_overlap(region, pixels, foreground=False)
        assert mask_metrics(nothing)["miou"] == mask_metrics(nothing)["dice"] == 0
    drawn = overlap_of(np.ones((1, 20, 20), bool), box(0, 0, 4, 5)[None])
    closed = constant_overlap(np.array([20]), np.array([400]), foreground=True)
    assert all((getattr(drawn, f) == getattr(closed, f)).all() for f in ("both", "either", "predicted", "true"))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), masks=st.integers(1, 12))
def test_contributions_average_to_the_figures(seed: int, masks: int) -> None:
    generator = np.random.default_rng(seed)
    found = overlap_of(generator.random((masks, 5, 6)) < 0.4, generator.random((masks, 5, 6)) < 0.3)
    owner = np.unique(generator.integers(0, 4, masks), return_inverse=True)[1]
    border = generator.random(masks)
    parts, figures = mask_contributions(found, owner, boundary=border), mask_metrics(found, border)
    assert parts.values.keys() == figures.keys()
    for name, values in parts.values.items():
        assert values @ parts.weights / parts.weights.sum() == pytest.approx(figures[name])


def test_the_linear_part_of_a_ratio_spreads_as_the_ratio_does() -> None:
    generator = np.random.default_rng(0)
    either = generator.integers(50, 200, 400)
    both = (either * generator.beta(4, 3, 400)).astype(int)
    owner = np.arange(400)
    parts = mask_contributions(Overlap(both, either, both, either), owner)
    drawn = generator.integers(0, 400, (2000, 400))
    resampled = 100 * both[drawn].sum(1) / either[drawn].sum(1)
    interval = bootstrap_interval(parts.values["oiou"], weights=parts.weights)
    assert interval.mean == pytest.approx(100 * both.sum() / either.sum())
    assert interval.high - interval.low == pytest.approx(np.ptp(np.quantile(resampled, [0.025, 0.975])), rel=0.1)


def test_the_boundary_lies_on_the_region_and_not_on_the_edge_of_the_image() -> None:
    assert boundary_of(box(2, 2, 6, 6)).sum() == 12
    assert boundary_of(box(0, 0, 20, 5)).nonzero()[1].tolist() == [4] * 20
    assert not boundary_of(np.ones((4, 4), bool)).any()


def test_boundary_f_worked_by_hand() -> None:
    # The diagonal of 20 x 20 is 28.3; 0.008 of it is less than a pixel, so r = 1.
    truth = box(5, 5, 11, 11)
    assert boundary_f(truth, truth) == 1
    assert boundary_f(box(5, 6, 11, 12), truth) == 1  # every outline pixel moved by one
    # Moved by two, of 20 outline pixels: top and bottom row share 4 and reach 1 more each, and of the left side's 4 the
    # first and last lie next to the other's top and bottom row.
    assert boundary_f(box(5, 7, 11, 13), truth) == pytest.approx(12 / 20)
    assert boundary_f(box(0, 0, 2, 2), truth) == 0
    assert boundary_f(box(5, 7, 11, 13), truth, tolerance=0.07) == 1


def test_boundary_f_equals_brute_force() -> None:
    generator = np.random.default_rng(3)
    for _ in range(20):
        ours, theirs = (generator.random((17, 23)) < 0.1 for _ in range(2))
        reach = math.ceil(0.1 * math.hypot(17, 23))
        a, b = (np.argwhere(boundary_of(m)) for m in (ours, theirs))
        near = ((a[:, None] - b[None]) ** 2).sum(-1) <= reach**2
        precision, recall = near.any(1).mean(), near.any(0).mean()
        assert boundary_f(ours, theirs, tolerance=0.1) == pytest.approx(2 * precision * recall / (precision + recall))


def test_boundary_f_without_a_boundary() -> None:
    nothing, everything = np.zeros((6, 6), bool), np.ones((6, 6), bool)
    assert boundary_f(nothing, nothing) == boundary_f(everything, everything) == 1
    assert boundary_f(nothing, everything) == boundary_f(box(1, 1, 3, 3, (6, 6)), nothing) == 0


def test_refusals() -> None:
    mask = np.zeros((1, 2, 2), bool)
    with pytest.raises(ShapeError, match=r"expected two stacks \(M, H, W\) of one shape"):
        overlap_of(mask, mask[0])
    with pytest.raises(InputError, match=r"predicted masks: expected bool.*got float64"):
        overlap_of(mask.astype(float), mask)
    with pytest.raises(InputError, match="expected at least one to measure, got none"):
        mask_metrics(overlap([], [], [], []))
    one = overlap([1], [2], [1], [2])
    with pytest.raises(ShapeError, match="boundary: expected one number for each of 1 masks"):
        mask_metrics(one, np.zeros(2))
    with pytest.raises(InputError, match="owner: image 0 has no mask"):
        mask_contributions(one, np.array([1]))
    with pytest.raises(ShapeError, match=r"boundary F: expected two masks \(H, W\) of one size"):
        boundary_f(mask[0], mask)
    with pytest.raises(ConfigError, match=r"tolerance.*above 0, got 0"):
        boundary_f(mask[0], mask[0], tolerance=0)
