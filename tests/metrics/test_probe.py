"""Small choices by hand: a batch among itself, five captions, and the printed formulas for the record."""

import math

import numpy as np
import pytest

from plait.core.errors import InputError, ShapeError
from plait.metrics.probe import batch_figures, choose, printed_accuracy, printed_probe


def test_a_batch_by_hand() -> None:
    found = batch_figures(np.array([[2.0, 0.0], [3.0, 1.0]]))
    # rows: 2 > 0 right, 1 < 3 wrong; columns: 2 < 3 wrong, 1 > 0 right
    assert found.accuracy.tolist() == [50.0, 50.0]
    row, column = math.log(math.e**2 + 1) - 2, math.log(math.e**2 + math.e**3) - 2
    assert found.loss[0] == pytest.approx((row + column) / 2)
    assert found.separation.tolist() == pytest.approx([(2 - 0) / 1.5, (1 - 3) / 1.5])


def test_scores_that_know_nothing_give_chance() -> None:
    found = batch_figures(np.full((5, 5), 7.0))
    assert found.accuracy.tolist() == [20.0] * 5
    assert found.loss == pytest.approx(np.full(5, math.log(5)))
    assert found.separation.tolist() == [0.0] * 5


def test_a_perfect_batch_and_a_shift_that_changes_nothing() -> None:
    scores = 30 * np.eye(6) + np.random.default_rng(0).normal(size=(6, 6))
    found, shifted = batch_figures(scores), batch_figures(scores + 100)
    assert found.accuracy.tolist() == [100.0] * 6
    assert found.loss.max() < 1e-8
    for name in ("accuracy", "loss", "separation"):
        np.testing.assert_allclose(getattr(found, name), getattr(shifted, name), atol=1e-9)


def test_choice_by_hand() -> None:
    found = choose(np.array([[3.0, 1.0, 0.0], [1.0, 2.0, 0.0], [2.0, 2.0, 1.0]]))
    assert found.accuracy.tolist() == [100.0, 0.0, 50.0]
    spread = np.std([1.0, 0.0, 2.0, 0.0, 2.0, 1.0])
    assert found.margin.tolist() == pytest.approx([2 / spread, -1 / spread, 0.0])
    assert choose(np.ones((2, 5))).margin.tolist() == [0.0, 0.0]


def test_the_printed_probe() -> None:
    found = printed_probe(np.array([5.0, 15.0, -4.5, -6.5, 2.5]), right=1)
    assert found == {
        "similarities": [5.0, 15.0, -4.5, -6.5, 2.5],
        "best": 1,
        "ratio": 3.0,
        "gap": 10.0,
        "trained_well": True,
    }
    assert printed_probe(np.array([-1.0, -2.0]), right=0)["ratio"] is None
    assert not printed_probe(np.full(5, 17.72), right=0)["trained_well"]


def test_the_printed_accuracy_calls_a_perfect_model_hopeless() -> None:
    batches = [np.eye(24)] * 10
    assert printed_accuracy(batches) == pytest.approx(100 * 24 / 240)
    assert np.mean([batch_figures(b).accuracy.mean() for b in batches]) == 100


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(N, N\)"):
        batch_figures(np.ones((2, 3)))
    with pytest.raises(ShapeError, match="at least 2"):
        batch_figures(np.ones((1, 1)))
    with pytest.raises(ShapeError, match=r"\(N, K\)"):
        choose(np.ones((3, 1)))
    with pytest.raises(ShapeError, match="right"):
        printed_probe(np.ones(5), right=5)
    with pytest.raises(ShapeError, match="at least one batch"):
        printed_accuracy([])
    with pytest.raises(InputError, match="finite"):
        choose(np.array([[math.nan, 1.0]]))
