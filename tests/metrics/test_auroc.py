"""Areas under the ROC curve: worked by hand, against all pairs, by image; and the threshold that divides best."""

from __future__ import annotations

import numpy as np
import pytest

from plait.core.errors import InputError, ShapeError
from plait.metrics.auroc import auroc, auroc_contributions, balanced_threshold


def by_all_pairs(positive: np.ndarray, negative: np.ndarray) -> float:
    """Compare every pair in a plain loop."""
    wins = [1.0 if p > n else 0.5 if p == n else 0.0 for p in positive for n in negative]
    return 100 * sum(wins) / len(wins)


def test_values_worked_by_hand() -> None:
    assert auroc(np.array([0.9, 0.5]), np.array([0.5, 0.1])) == 87.5
    assert auroc(np.array([0.9]), np.array([0.1])) == 100
    assert auroc(np.array([0.1]), np.array([0.9])) == 0
    assert auroc(np.full(3, 0.4), np.full(5, 0.4)) == 50  # a constant


def test_it_is_the_share_of_pairs_and_does_not_move_with_a_shift() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        positive = random.integers(0, 6, 9) / 5
        negative = random.integers(0, 5, 7) / 5
        assert auroc(positive, negative) == pytest.approx(by_all_pairs(positive, negative))
        assert auroc(positive + 3, negative + 3) == pytest.approx(auroc(positive, negative))


def test_contributions_average_to_the_area_and_spread_like_resampled_images() -> None:
    random = np.random.default_rng(1)
    images = 60
    owners = np.repeat(np.arange(images), 3), np.repeat(np.arange(images), 2)
    level = random.normal(size=images)  # images differ, so that their answers are not independent
    positive = level[owners[0]] + random.normal(1.0, 1.0, 3 * images)
    negative = level[owners[1]] + random.normal(0.0, 1.0, 2 * images)
    items = auroc_contributions(positive, negative, owners=owners, images=images)
    assert items.mean() == pytest.approx(auroc(positive, negative))
    spread = []
    for _ in range(400):
        drawn = random.integers(0, images, images)
        p = np.concatenate([positive[3 * i : 3 * i + 3] for i in drawn])
        n = np.concatenate([negative[2 * i : 2 * i + 2] for i in drawn])
        spread.append(auroc(p, n))
    assert items.std() / images**0.5 == pytest.approx(float(np.std(spread)), rel=0.2)


def test_an_image_without_answers_adds_the_area_itself() -> None:
    owners = np.array([0, 0]), np.array([2])
    items = auroc_contributions(np.array([0.9, 0.2]), np.array([0.5]), owners=owners, images=3)
    assert items.tolist() == [50.0, 50.0, 50.0]


def test_what_is_not_defined_is_refused() -> None:
    some, none = np.array([0.5]), np.zeros(0)
    for positive, negative in ((some, none), (none, some)):
        with pytest.raises(InputError, match="both groups"):
            auroc(positive, negative)
    with pytest.raises(InputError, match="not a number"):
        auroc(np.array([np.nan]), some)
    with pytest.raises(ShapeError, match="owners of negative"):
        auroc_contributions(some, some, owners=(np.zeros(1, int), np.zeros(2, int)), images=1)


def test_the_threshold_divides_best_and_lies_between_scores() -> None:
    positive, negative = np.array([0.9, 0.8, 0.3]), np.array([0.2, 0.1, 0.6])
    found = balanced_threshold(positive, negative)
    # 0.25 accepts all three and refuses two; so does 0.7 the other way round: 0.7 is nearer to a half
    assert found == pytest.approx(0.7)
    assert balanced_threshold(np.array([0.9, 0.8]), np.array([0.2, 0.1])) == pytest.approx(0.5)
    assert balanced_threshold(np.array([0.99]), np.array([0.97])) == pytest.approx(0.98)
    assert balanced_threshold(np.full(4, 0.7), np.full(4, 0.7)) == pytest.approx(0.5)
