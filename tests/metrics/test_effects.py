"""Effect sizes and power: numbers worked by hand, and the promise of power kept in simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from plait.core.errors import InputError, ShapeError
from plait.core.metric import Metric
from plait.metrics.effects import POWER, Spread, effect_size, power_of_tests, spread_of
from plait.metrics.statistics import paired_difference, paired_test
from plait.report.words import power_sentence


def test_spread_by_hand() -> None:
    a = np.array([[3.0, 1.0, 2.0, 0.0], [5.0, 3.0, 4.0, 2.0]])  # seeds' means 1.5 and 3.5
    b = np.array([[1.0, 2.0, 1.0, 1.0], [1.0, 2.0, 1.0, 1.0]])  # 1.25 and 1.25
    spread = spread_of(a, b)
    # differences of the seeds' means: 3, 0, 2, 0; their mean 1.25, squares 3.0625 + 1.5625 + 0.5625 + 1.5625 = 6.75
    assert spread.image_sd == pytest.approx((6.75 / 3) ** 0.5)
    assert spread.seed_sd == pytest.approx(((1 + 1 + 0 + 0) / 2) ** 0.5)
    assert spread.training_sd == pytest.approx(spread.seed_sd)  # all images move alike from seed to seed
    assert list(spread.to_json()) == ["photo_sd", "seed_sd", "training_sd", "photos", "seeds", "better", "worse"]
    assert (spread.images, spread.seeds, spread.better, spread.worse) == (4, 2, 50.0, 0.0)


def test_weights_count_and_images_without_weight_do_not() -> None:
    spread = spread_of([4.0, 0.0, 99.0], [0.0, 0.0, 0.0], weights=[3.0, 1.0, 0.0])
    # mean 3; weights over their mean 1.5 and 0.5: (1.5 * 1)^2 + (0.5 * 3)^2 = 4.5
    assert spread.image_sd == pytest.approx(4.5**0.5)
    assert (spread.images, spread.better) == (2, 75.0)
    assert spread_of([1.0], [0.0]).image_sd == 0


def test_image_sd_gives_the_bootstraps_standard_error() -> None:
    generator = np.random.default_rng(1)
    a, weights = generator.normal(size=400), generator.integers(1, 6, size=400).astype(float)
    found = paired_difference(a, np.zeros(400), weights=weights, resamples=8000)
    error = spread_of(a, np.zeros(400), weights=weights).image_sd / 400**0.5
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(error, rel=0.05)


def test_effect_size_by_hand_and_its_undefined_case() -> None:
    spread = Spread(image_sd=40.0, seed_sd=0.5, training_sd=0.5, images=1000, seeds=3, better=20.0, worse=10.0)
    assert effect_size(4.0, 1.0, 7.0, spread=spread) == (0.1, 0.025, 0.175)
    assert effect_size(4.0, 1.0, 7.0, spread=spread_of([1.0, 1.0], [0.0, 0.0])) is None


def test_tests_carry_effect_sizes_that_agree_with_the_interval() -> None:
    generator = np.random.default_rng(2)
    base = generator.normal(size=(3, 300))
    pairs = itertools.combinations([base + 0.5, base, base.copy()], 2)
    rows = [paired_test(a, b, resamples=500) for a, b in pairs]
    assert rows[0]["d_z"]["value"] == pytest.approx(rows[0]["difference"] / rows[0]["photo_sd"])
    assert (rows[0]["d_z"]["low"] > 0) == (rows[0]["low"] > 0)
    assert rows[2]["d_z"] is None  # b and c are equal on every image
    assert (rows[2]["better"], rows[2]["worse"]) == (0.0, 0.0)


def _row(**changes: object) -> dict[str, object]:
    row = {"metric": "t2i_r1", "photo_sd": 10.0, "seed_sd": 0.0, "photos": 2000, "seeds": 1, "seeds_counted": False}
    return {**row, **changes}


def test_power_by_hand() -> None:
    (row,) = power_of_tests([_row()])
    # normal quantiles of 0.975 and 0.8
    assert row["detectable"] == pytest.approx((1.95996 + 0.84162) * 10 / 2000**0.5, rel=1e-3)
    (row,) = power_of_tests([_row(), _row(photo_sd=20.0), _row(photo_sd=40.0)])
    assert row["most"] == pytest.approx(4 * row["least"])
    assert row["detectable"] == pytest.approx(2 * row["least"])
    # corrected for three tests: the quantile of 1 - 0.05 / 6
    assert row["least"] == pytest.approx((2.39398 + 0.84162) * 10 / 2000**0.5, rel=1e-3)
    assert power_of_tests([_row(photos=1)]) == []


def test_power_counts_training_noise_without_that_of_images() -> None:
    plan = {"photo_sd": 10.0, "seed_sd": 3.0, "seeds": 3, "seeds_counted": True}
    with_noise, without = (power_of_tests([_row(**plan, training_sd=sd)])[0]["detectable"] for sd in (3.0, 0.0))
    assert without == pytest.approx((1.96 + 0.84) * 10 / 2000**0.5, rel=1e-2)
    assert with_noise > 2 * without
    assert power_of_tests([_row(**plan)])[0]["detectable"] == with_noise  # results of earlier versions


def test_power_is_that_of_the_pairs_with_the_fewest_seeds() -> None:
    rows = [_row(seeds=3, seeds_counted=True, photo_sd=100.0), _row(seeds=1), _row(seeds=1, photo_sd=20.0)]
    (row,) = power_of_tests(rows)
    assert (row["seeds"], row["seeds_counted"], row["tests"]) == (1, False, 3)
    assert row["most"] == pytest.approx(2 * row["least"])


def test_no_detectable_difference_is_larger_than_the_scale() -> None:
    (row,) = power_of_tests([_row(photos=4, photo_sd=110.0)])
    assert (row["detectable"], row["limit"], row["unit"]) == (100.0, 100.0, "%")
    assert "nothing but a difference of nearly 100 points, the whole scale" in power_sentence({**row, "photos": 50})
    rank = Metric(key="rank", label="rank", column="Rank", unit="", bounds=(1.0, float("inf")))
    (row,) = power_of_tests([_row(photos=4, photo_sd=110.0, metric="rank")], metrics={"rank": rank})
    assert row["limit"] is None
    assert row["detectable"] > 100
    assert "points" not in power_sentence(row)


def test_sentences_of_power() -> None:
    row = {"photos": 1000, "seeds": 1, "tests": 6, "detectable": 2.04, "seeds_counted": False}
    assert power_sentence(row) == (
        "With 1 seed and 1,000 photos, a true difference under 2.0 points would be missed more than one time in five "
        "after correction for 6 tests; training noise, unknown with one seed, comes on top."
    )
    assert power_sentence({**row, "detectable": 0.0}).startswith("They scored alike on every photo")
    assert "a true difference under 0.003 points" in power_sentence({**row, "detectable": 0.0031})


def _trial(
    generator: np.random.Generator, shift: float, *, seeds: int, seed_sd: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw two fusions on the same images, with noise of images of the difference 1.0 * sqrt 2 and training noise."""
    shared = generator.normal(scale=2.0, size=400)
    one, other = (
        shared + generator.normal(size=400) + generator.normal(scale=seed_sd, size=(seeds, 1)) for _ in range(2)
    )
    return one + shift, other


@pytest.mark.parametrize(("seeds", "seed_sd"), [(3, 0.05), (5, 0.1)])
def test_the_detectable_difference_is_found_four_times_in_five(seeds: int, seed_sd: float) -> None:
    generator = np.random.default_rng(3)
    plan = {"photo_sd": 2**0.5, "seed_sd": seed_sd, "photos": 400, "seeds": seeds, "seeds_counted": True}
    (row,) = power_of_tests([{"metric": "m", **plan}])
    found = 0
    for _ in range(250):
        one, other = _trial(generator, row["detectable"], seeds=seeds, seed_sd=seed_sd)
        found += paired_difference(one, other, resamples=400).p < 0.05
    assert abs(found / 250 - POWER) < 0.09  # a binomial deviation is 0.025


@pytest.mark.parametrize("seeds", [3, 5])
def test_the_interval_of_a_difference_covers_it_about_95_times_in_100(seeds: int) -> None:
    generator = np.random.default_rng(4)
    covered = 0
    for _ in range(250):
        one, other = _trial(generator, 0.4, seeds=seeds, seed_sd=0.08)
        found = paired_difference(one, other, resamples=400)
        covered += found.low <= 0.4 <= found.high
    assert 0.915 < covered / 250 <= 0.99


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(ShapeError, match="same images, got 2 and 3"):
        spread_of([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="is the split empty"):
        spread_of([], [])
