"""Bootstrap intervals and paired differences: brute force, coverage, error rates, and what they refuse."""

from __future__ import annotations

import itertools
from dataclasses import astuple

import numpy as np
import pytest

from plait.core.errors import InputError, ShapeError
from plait.metrics import resampling, statistics
from plait.metrics.statistics import (
    bootstrap_interval,
    bootstrap_median,
    holm_corrected,
    paired_difference,
    paired_test,
)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Switch off what widens intervals of few images."""
    monkeypatch.setattr(resampling, "FEW_IMAGES", 0)
    monkeypatch.setattr(statistics, "FEW_IMAGES", 0)


@pytest.mark.usefixtures("plain")
def test_interval_equals_enumeration_of_all_resamples() -> None:
    values, weights = np.array([0.0, 100.0, 50.0, 30.0]), np.array([1.0, 2.0, 5.0, 1.0])
    index = np.array(list(itertools.product(range(4), repeat=4)))
    means = (values * weights)[index].sum(1) / weights[index].sum(1)
    found = bootstrap_interval(values, weights=weights, resamples=40_000)
    assert found.mean == pytest.approx((200 + 250 + 30) / 9)
    assert found.low == pytest.approx(np.quantile(means, 0.025), abs=1.0)
    assert found.high == pytest.approx(np.quantile(means, 0.975), abs=1.0)
    assert not found.seeds_counted


def test_interval_is_seeded_and_cut_to_its_bounds() -> None:
    values = np.array([[100.0] * 9 + [0.0], [100.0] * 10])
    first, again = (bootstrap_interval(values, seed=5, bounds=(0, 100)) for _ in range(2))
    assert first == again
    assert first.high == 100.0
    assert bootstrap_interval(values, seed=6).high > 100.0
    assert first.mean == 95.0
    assert first.seeds_counted


def test_images_that_weigh_nothing_are_no_part_of_the_sample() -> None:
    values = np.array([10.0, 30.0, 20.0])
    padded = bootstrap_interval(np.append(values, np.zeros(50)), weights=[1.0] * 3 + [0.0] * 50)
    assert padded == bootstrap_interval(values)


def test_small_blocks_give_a_like_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(2, 30))
    whole = bootstrap_interval(values)
    monkeypatch.setattr("plait.metrics.resampling._BLOCK_ENTRIES", 1000)
    assert bootstrap_interval(values).low == pytest.approx(whole.low, abs=0.1)


def test_training_noise_widens_the_interval_as_student_asks() -> None:
    # no variation over images: the interval is Student's t over three seeds, t(0.975, 2) = 4.303
    values = np.array([[10.0] * 50, [12.0] * 50, [14.0] * 50])
    found = bootstrap_interval(values, resamples=60_000)
    assert found.mean == 12.0
    assert found.high - 12.0 == pytest.approx(4.303 * 2.0 / np.sqrt(3), rel=0.1)


def _trial(generator: np.random.Generator, images: int, seeds: int, shift: float = 0.0) -> np.ndarray:
    """Draw what images add: image, seed and their interaction all vary, the true mean is 50 + shift."""
    image = generator.normal(scale=20, size=images)
    seed = generator.normal(scale=2, size=(seeds, 1))
    return 50 + shift + image + seed + generator.normal(scale=10, size=(seeds, images))


@pytest.mark.parametrize("seeds", [3, 5])
def test_interval_covers_the_truth_about_95_times_in_100(seeds: int) -> None:
    generator = np.random.default_rng(seeds)
    found = [bootstrap_interval(_trial(generator, 80, seeds), resamples=400, seed=n) for n in range(300)]
    covered = np.mean([f.low <= 50 <= f.high for f in found])
    assert 0.91 <= covered <= 0.99  # 3.5 standard deviations of 300 trials; a little wide by design


def test_without_training_noise_one_seed_covers_too() -> None:
    generator = np.random.default_rng(1)
    found = [bootstrap_interval(generator.normal(size=100), resamples=400, seed=n) for n in range(300)]
    assert 0.91 <= np.mean([f.low <= 0 <= f.high for f in found]) <= 0.985


def _two(generator: np.random.Generator, *, seed_sd: float, own_sd: float, seeds: int = 3) -> list[np.ndarray]:
    """Draw two equal fusions on the same 100 images, with training noise and noise of images under single seeds."""
    shared = generator.normal(scale=20, size=100)
    return [
        shared
        + generator.normal(scale=5, size=100)
        + generator.normal(scale=seed_sd, size=(seeds, 1))
        + generator.normal(scale=own_sd, size=(seeds, 100))
        for _ in range(2)
    ]


# Of 600 tests at 5 % a binomial deviation is 0.9 points.
@pytest.mark.parametrize(("seed_sd", "own_sd"), [(3.0, 5.0), (1.0, 10.0), (0.0, 20.0)])
def test_equal_fusions_look_different_about_5_times_in_100(seed_sd: float, own_sd: float) -> None:
    generator = np.random.default_rng(2)
    found = []
    for n in range(600):
        a, b = _two(generator, seed_sd=seed_sd, own_sd=own_sd)
        found.append(paired_difference(a, b, resamples=400, seed=n % 10).p < 0.05)
    assert 0.022 <= np.mean(found) <= 0.075


def test_ignoring_seeds_would_see_differences_where_there_are_none() -> None:
    generator = np.random.default_rng(2)
    found = []
    for n in range(200):
        a, b = _two(generator, seed_sd=3.0, own_sd=5.0)
        found.append(paired_difference(a.mean(0), b.mean(0), resamples=300, seed=n).p < 0.05)
    assert np.mean(found) > 0.3


def test_few_images_widen_as_student_asks() -> None:
    values = np.random.default_rng(6).normal(size=8)
    found = bootstrap_interval(values, resamples=60_000)
    # t(0.975, 7) = 2.365; a bootstrap of 8 alone reaches about 1.96 * sqrt(7 / 8)
    assert (found.high - found.low) / 2 == pytest.approx(2.365 * values.std(ddof=1) / np.sqrt(8), rel=0.06)


@pytest.mark.parametrize("images", [10, 30])
def test_few_images_still_cover_and_keep_to_their_bounds(images: int) -> None:
    generator = np.random.default_rng(7)
    covered, equal = [], []
    for n in range(400):
        chance = generator.beta(0.3, 1.7, size=images)  # a mean of 15 %, most images near 0
        a, b = (100 * generator.binomial(5, chance) / 5 for _ in range(2))
        found = bootstrap_interval(a, resamples=500, seed=n % 5, bounds=(0, 100))
        assert 0 <= found.low <= found.high <= 100
        covered.append(found.low <= 15 <= found.high)
        equal.append(paired_difference(a, b, resamples=500, seed=n % 5).p < 0.05)
    assert np.mean(covered) >= 0.92  # a binomial deviation is 0.011
    assert np.mean(equal) <= 0.08


def test_no_image_right_is_no_proof_of_0() -> None:
    found = bootstrap_interval(np.zeros(20), bounds=(0, 100))
    assert (found.mean, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(100 * 3.84 / 23.84, rel=0.01)
    assert bootstrap_interval(np.zeros(1), bounds=(0, 100)).high > 70
    assert bootstrap_interval(np.zeros(20), bounds=(0, float("inf"))).high == 0.0


def test_pairing_finds_what_unpaired_intervals_hide() -> None:
    generator = np.random.default_rng(3)
    a = _trial(generator, 200, 1)[0]
    b = a - 1.5 + generator.normal(scale=3, size=200)
    found = paired_difference(a, b)
    assert found.low > 0
    assert found.p < 0.001
    assert found.p_sign_flip < 0.001
    assert bootstrap_interval(a).low < bootstrap_interval(b).high


def test_difference_by_hand_and_its_mirror() -> None:
    a, b = np.array([[10.0, 20.0, 60.0]]), np.array([[10.0, 10.0, 10.0]])
    found = paired_difference(a, b, weights=[2.0, 1.0, 1.0])
    assert found.difference == 15.0
    assert not found.seeds_counted
    mirror = paired_difference(b, a, weights=[2.0, 1.0, 1.0])
    assert (mirror.difference, mirror.low, mirror.high, mirror.p) == pytest.approx(
        (-15.0, -found.high, -found.low, found.p)
    )


def test_equal_results_have_p_1() -> None:
    a = np.random.default_rng(0).normal(size=40)
    found = paired_difference(a, a)
    assert (found.difference, found.low, found.high, found.p, found.p_sign_flip) == (0.0, 0.0, 0.0, 1.0, 1.0)


def test_interval_excludes_zero_exactly_where_p_is_small() -> None:
    generator = np.random.default_rng(8)
    for shift in (0.0, 2.0, 4.0, 6.0, 8.0):
        a, b = _trial(generator, 40, 3, shift), _trial(generator, 40, 2)
        found = paired_difference(a, b, resamples=2000)
        if abs(found.p - 0.05) > 0.005:
            assert (found.p < 0.05) == (found.low > 0 or found.high < 0)


def test_a_single_seed_borrows_the_others_noise() -> None:
    generator = np.random.default_rng(9)
    a, b = _trial(generator, 50, 1), _trial(generator, 50, 4)
    assert paired_difference(a, b).seeds_counted
    assert not paired_difference(a, b[:1]).seeds_counted


def test_median_by_enumeration() -> None:
    # image 0 has ranks 1 and 3; image 1 has rank 8: resamples (0,0), (0,1), (1,0), (1,1) have lower medians 1, 3, 3, 8
    found = bootstrap_median(np.array([1.0, 3.0, 8.0]), [0, 0, 1], level=0.4)
    assert (found.mean, found.low, found.high) == (3.0, 3.0, 3.0)
    wide = bootstrap_median(np.array([1.0, 3.0, 8.0]), [0, 0, 1])
    assert (wide.low, wide.high) == (1.0, 8.0)


def test_median_averages_seeds_and_stays_at_least_1() -> None:
    found = bootstrap_median(np.array([[1.0, 2.0, 3.0], [1.0, 1.0, 5.0]]), [0, 1, 2])
    assert found.mean == 1.5
    assert found.low >= 1.0
    assert found.seeds_counted


def test_tests_of_pairs_give_the_rows_of_results_json() -> None:
    generator = np.random.default_rng(10)
    late = _trial(generator, 300, 3)
    cross = late.mean(axis=0) + 8.0 + generator.normal(size=(3, 300))
    pairs = itertools.combinations([cross, late, late.copy()], 2)
    rows = holm_corrected([paired_test(a, b, weights=np.ones(300), resamples=2000) for a, b in pairs])
    assert list(rows[0])[:4] == ["difference", "low", "high", "p"]
    rest = {"p_sign_flip", "seeds_counted", "d_z", "photo_sd", "seed_sd", "training_sd", "photos", "seeds"}
    assert set(rows[0]) >= rest | {"better", "worse", "p_holm", "distinguishable"}
    assert [row["distinguishable"] for row in rows] == [True, True, False]
    assert rows[0]["difference"] == pytest.approx(8.0, abs=0.3)
    assert all(row["p_holm"] >= row["p"] for row in rows)


def test_p_can_become_small_enough_for_many_tests() -> None:
    a = np.random.default_rng(11).normal(3.0, 1.0, size=100)
    assert paired_difference(a, np.zeros(100), resamples=200).p < 1e-12
    # no spread at all: the smallest p that the replicates can give
    assert paired_difference(np.ones(5), np.zeros(5), resamples=99).p == 2 / 100


def test_refuses_what_cannot_be_averaged() -> None:
    with pytest.raises(ShapeError, match=r"expected \(images,\) or \(seeds, images\), got \(1, 2, 3\)"):
        bootstrap_interval(np.zeros((1, 2, 3)))
    with pytest.raises(ShapeError, match=r"one for each of 3 images, got \(2,\)"):
        bootstrap_interval(np.zeros(3), weights=[1.0, 1.0])
    with pytest.raises(InputError, match="is the split empty"):
        bootstrap_interval([])
    with pytest.raises(InputError, match="weight above 0"):
        bootstrap_interval([1.0], weights=[0.0])
    with pytest.raises(InputError, match="1 of 2 are not finite"):
        bootstrap_interval([1.0, np.nan])
    with pytest.raises(InputError, match=r"level of an interval: .*got 95"):
        bootstrap_interval([1.0], level=95)
    with pytest.raises(ShapeError, match="same images, got 2 and 3"):
        paired_difference([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(ShapeError, match=r"each of 2 values, got \(1,\)"):
        bootstrap_median(np.ones(2), [0])


@pytest.mark.parametrize("seeds", [1, 3])
def test_draws_that_are_kept_give_the_numbers_of_those_that_are_not(
    seeds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    a, b = (20.0 * random.integers(0, 6, size=(seeds, 90)) for _ in range(2))
    weights = random.integers(0, 6, size=90)
    kept = paired_difference(a, b, weights=weights, resamples=500, seed=3)
    monkeypatch.setattr(resampling, "_KEPT_ENTRIES", 0)
    drawn = paired_difference(a, b, weights=weights, resamples=500, seed=3)
    assert astuple(drawn) == pytest.approx(astuple(kept), rel=1e-9, abs=1e-9)  # sums in another order
