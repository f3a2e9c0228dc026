"""Sign flips, Holm, Student's t and the detectable difference against numbers worked by hand or from tables."""

from __future__ import annotations

import math

import numpy as np
import pytest

from plait.core.errors import InputError
from plait.metrics.significance import (
    holm,
    minimum_detectable_difference,
    satterthwaite,
    seed_variance,
    sign_flip_p,
    student_quantile,
    student_tail,
    wilson_interval,
)


def test_sign_flip_enumerates_by_hand() -> None:
    # 1 + 2 + 3: of 8 patterns only all plus and all minus reach 6
    assert sign_flip_p([1.0, 2.0, 3.0]) == 2 / 8
    # 3 - 1 = 2 is reached by 3 - 1, 3 + 1 and their mirrors: all four
    assert sign_flip_p([3.0, -1.0]) == 1.0
    assert sign_flip_p([1.0, 1.0, 1.0, 1.0, 1.0, -1.0]) == pytest.approx(2 * (1 + 6) / 64)
    assert sign_flip_p([0.0, 0.0]) == 1.0


def test_sign_flip_ignores_images_without_difference_or_weight() -> None:
    assert sign_flip_p([1.0, 2.0, 3.0, 0.0, 7.0], weights=[1.0, 1.0, 1.0, 1.0, 0.0]) == 2 / 8


def test_sampled_sign_flip_agrees_with_the_enumerated_one(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = np.random.default_rng(0).normal(0.4, 1.0, size=12)
    exact = sign_flip_p(differences)
    monkeypatch.setattr("plait.metrics.significance._EXACT_IMAGES", 5)
    assert sign_flip_p(differences, draws=20_000) == pytest.approx(exact, abs=0.02)


def test_sampled_sign_flip_never_says_0() -> None:
    assert sign_flip_p(np.ones(100), draws=99) == 1 / 100


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
    with pytest.raises(InputError, match=r"p value: expected a number in \[0, 1\], got 1.2"):
        holm([1.2])


@pytest.mark.parametrize(
    ("probability", "freedom", "expected"),
    [
        (0.975, 1, 12.706),
        (0.975, 2, 4.3027),
        (0.975, 4, 2.7764),
        (0.8, 10, 0.8791),
        (0.95, 30, 1.6973),
        (0.975, 300, 1.9679),
        (0.975, 1e6, 1.95996),
        (0.025, 4, -2.7764),
        (0.5, 3, 0.0),
    ],
)
def test_student_quantile_as_in_printed_tables(probability: float, freedom: float, expected: float) -> None:
    assert student_quantile(probability, freedom) == pytest.approx(expected, rel=5e-4, abs=1e-6)


def test_student_tail_is_the_inverse_and_keeps_far_tails() -> None:
    assert student_tail(12.706, 1) == pytest.approx(0.05, rel=1e-3)
    assert student_tail(-1.95996, 1e5) == pytest.approx(0.05, rel=1e-3)
    assert student_tail(0.0, 7) == pytest.approx(1.0)
    # printed tables: t(0.9995) for 10 degrees of freedom is 4.587; the tail at 10 for 30 is 4.5e-11
    assert student_tail(4.587, 10) == pytest.approx(0.001, rel=2e-3)
    assert student_tail(10.0, 30) == pytest.approx(4.5e-11, rel=0.05)
    with pytest.raises(InputError, match="Student tail: expected freedom > 0, got 0"):
        student_tail(1.0, 0)


def test_satterthwaite_between_its_ends() -> None:
    assert satterthwaite(1.0, 101, 0.0, 4) == 100.0
    assert satterthwaite(0.0, 101, 1.0, 4) == 4.0
    assert satterthwaite(1.0, 101, 1.0, 4) == pytest.approx(4 / (1 / 100 + 1 / 4))
    assert satterthwaite(0.0, 101, 0.0, 4) == math.inf
    # a seed part of 1 that was 2 before noise was subtracted is as uncertain as 2
    assert satterthwaite(3.0, 101, 1.0, 4, mean_square=2.0) == pytest.approx(16 / (9 / 100 + 4 / 4))
    assert satterthwaite(0.0, 101, 1.0, 4, mean_square=2.0) == 4.0  # never fewer than the seeds have
    assert satterthwaite(1.0, 101, 0.0, 4, mean_square=2.0) == 100.0


def test_variance_over_seeds_by_hand() -> None:
    share = np.full(2, 0.5)
    # every image moves alike: all of it is training noise
    found = seed_variance([np.array([[1.0, 5.0], [3.0, 7.0]])], share)
    assert (found.total, found.training, found.freedom) == (2.0, 2.0, 1)
    # images move against each other: the mean stays, nothing is training noise
    found = seed_variance([np.array([[1.0, 7.0], [3.0, 5.0]])], share)
    assert (found.total, found.training) == (0.0, 0.0)
    # one image moves from 0 to 4: means 0 and 2 have variance 2; residuals are +-1 on both images, so that
    # own = (1/4 * 2 + 1/4 * 2) / (1 - 1/2) = 2 and nothing is left
    found = seed_variance([np.array([[0.0, 0.0], [4.0, 0.0]])], share)
    assert (found.total, found.training) == (2.0, 0.0)
    assert seed_variance([np.zeros((1, 2)), np.zeros((1, 2))], share).freedom == 0
    # one image alone: its noise cannot be told from training noise
    assert seed_variance([np.array([[0.0], [2.0]])], np.ones(1)).training == 2.0


def test_variance_over_seeds_finds_the_training_noise_that_was_drawn() -> None:
    generator = np.random.default_rng(1)
    weights = generator.integers(1, 6, size=50).astype(float)
    found = [
        seed_variance(
            [3 * generator.normal(size=(3, 1)) + 20 * generator.normal(size=(3, 50)) for _ in range(2)],
            weights / weights.sum(),
        )
        for _ in range(2000)
    ]
    own = 400 * (weights**2).sum() / weights.sum() ** 2
    assert np.mean([one.total for one in found]) == pytest.approx(9 + own, rel=0.05)
    assert np.mean([one.training for one in found]) == pytest.approx(9, rel=0.2)  # cut at 0, so a little above


def test_wilson_by_hand() -> None:
    # Wilson's interval of 1 in 10: 0.0179 to 0.4042
    assert wilson_interval(0.1, math.sqrt(0.1 * 0.9 / 10), images=10, freedom=1e6) == pytest.approx(
        (0.0179, 0.4042), abs=2e-4
    )
    assert wilson_interval(0.0, 0.0, images=10, freedom=1e6) == pytest.approx((0.0, 3.8415 / 13.8415), abs=1e-4)
    low, high = wilson_interval(1.0, 0.0, images=10, freedom=1e6)
    assert (1 - high, 1 - low) == pytest.approx((0.0, 3.8415 / 13.8415), abs=1e-4)
    assert wilson_interval(0.3, 0.0, images=10, freedom=1e6) == (0.3, 0.3)


def test_detectable_difference_by_hand() -> None:
    # 1,000 images, one seed without noise: (1.960 + 0.842) * 30 / sqrt(1000)
    found = minimum_detectable_difference(image_sd=30, training_sd=0, images=2000, seeds=1)
    assert found == pytest.approx((1.960 + 0.8416) * 30 / math.sqrt(2000), rel=1e-3)
    # seeds alone, 3 each: 4 degrees of freedom
    found = minimum_detectable_difference(image_sd=0, training_sd=0.6, images=2000, seeds=3)
    assert found == pytest.approx((2.7764 + 0.9410) * math.sqrt(2 * 0.36 / 3), rel=1e-3)
    assert minimum_detectable_difference(image_sd=1, training_sd=1, images=50, seeds=1) == math.inf


def test_refuses_impossible_plans() -> None:
    with pytest.raises(InputError, match=r"detectable difference: expected .* images=1"):
        minimum_detectable_difference(image_sd=1, training_sd=1, images=1, seeds=3)
    with pytest.raises(InputError, match=r"Student quantile: .*got 1.0 and 3"):
        student_quantile(1.0, 3)
