"""What every metric owes: a definition that fits its task, all orders of ties by brute force, no change by transforms.

Transforms are increasing functions of the scores.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.core.metric import Metric
from plait.metrics.retrieval import retrieval_metrics
from plait.tasks import TASKS, find_task


def _orders(values: np.ndarray) -> Iterator[tuple[int, ...]]:
    """Give every descending order of the candidates, equal ones in every order."""
    levels = [np.flatnonzero(values == value) for value in sorted(set(values.tolist()), reverse=True)]
    for parts in itertools.product(*(itertools.permutations(level) for level in levels)):
        yield tuple(int(n) for part in parts for n in part)


def _brute_force(scores: np.ndarray, owner: np.ndarray, k: int) -> dict[str, float]:
    queries: dict[str, list[tuple[np.ndarray, set[int]]]] = {
        "t2i": [(scores[:, c], {int(owner[c])}) for c in range(len(owner))],
        "i2t": [(scores[i], set(np.flatnonzero(owner == i).tolist())) for i in sorted(set(owner.tolist()))],
    }
    result = {}
    for name, items in queries.items():
        found, precision, first = [], [], []
        for values, right in items:
            places = [[place for place, n in enumerate(order, start=1) if n in right] for order in _orders(values)]
            found.append(np.mean([p[0] <= k for p in places]))
            first.append(np.mean([p[0] for p in places]))
            precision.append(np.mean([np.mean([j / place for j, place in enumerate(p, start=1)]) for p in places]))
        result[f"{name}_r{k}"] = 100 * float(np.mean(found))
        result[f"{name}_map"] = 100 * float(np.mean(precision))
        result[f"{name}_median_rank"] = float(np.median(first))
    return result


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), images=st.integers(1, 4), levels=st.integers(1, 4), k=st.integers(1, 4))
def test_equals_brute_force_over_all_orders_of_ties(seed: int, images: int, levels: int, k: int) -> None:
    generator = np.random.default_rng(seed)
    owner = generator.integers(0, images, size=int(generator.integers(1, 6)))
    scores = generator.integers(0, levels, size=(images, len(owner))).astype(float)
    assert retrieval_metrics(scores, owner, ks=(k,)) == pytest.approx(_brute_force(scores, owner, k))


@pytest.mark.parametrize(
    "transform",
    [lambda s: s - 7.0, lambda s: 0.001 * s, np.exp, lambda s: 1 / (1 + np.exp(-s)), lambda s: s**3],
    ids=["shifted", "scaled", "exponential", "sigmoid", "cubed"],
)
def test_no_increasing_transform_changes_a_number(transform: object) -> None:
    assert callable(transform)
    scores = np.random.default_rng(1).normal(size=(15, 40))
    owner = np.arange(40) % 15
    assert retrieval_metrics(transform(scores), owner) == retrieval_metrics(scores, owner)


def test_order_of_captions_and_images_changes_nothing() -> None:
    generator = np.random.default_rng(2)
    scores, owner = generator.normal(size=(9, 30)), np.arange(30) % 9
    captions, images = generator.permutation(30), generator.permutation(9)
    moved = retrieval_metrics(scores[images][:, captions], np.argsort(images)[owner[captions]])
    assert moved == pytest.approx(retrieval_metrics(scores, owner))


def test_noise_is_at_chance() -> None:
    generator = np.random.default_rng(4)
    owner = np.repeat(np.arange(200), 5)
    result = retrieval_metrics(generator.normal(size=(200, 1000)), owner, ks=(10,))
    assert result["t2i_r10"] == pytest.approx(5.0, abs=2.1)  # 3 standard deviations of 1,000 draws at 5 %
    assert result["t2i_median_rank"] == pytest.approx(100, abs=12)


@pytest.mark.parametrize("task", sorted(TASKS))
def test_the_metrics_of_a_task_are_whole(task: str) -> None:
    metrics = find_task(task).metrics
    keys = [metric.key for metric in metrics]
    assert len(set(keys)) == len(keys)
    assert any(metric.headline for metric in metrics)
    assert all(metric.tested for metric in metrics if metric.headline), "a verdict needs tests of its metric"
    assert not [key for key in keys if "." in key], "KEY.weights and KEY.owner are names of files' tensors"


@pytest.mark.parametrize(
    "metric", [metric for task in sorted(TASKS) for metric in find_task(task).metrics], ids=lambda metric: metric.key
)
def test_a_metric_says_what_it_is(metric: Metric) -> None:
    low, high = metric.bounds
    assert low < high
    assert metric.label
    assert metric.column
    if metric.unit == "%":
        assert metric.bounds in ((0.0, 100.0), (-100.0, 100.0)), "a share, or a difference of two"
    assert metric.statistic == "mean" or not metric.tested, "paired tests are of means"
