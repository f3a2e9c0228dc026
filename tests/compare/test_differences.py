"""Tests of all pairs of fusions: each pair on the seeds it shares, one correction over all."""

from __future__ import annotations

import numpy as np
import pytest

from plait.compare.differences import differences, untested_pairs
from plait.core.errors import CheckpointError
from plait.core.metric import Metric
from plait.metrics.effects import power_of_tests
from plait.metrics.significance import holm
from plait.metrics.statistics import paired_test
from tests.compare.memory import ACCURACY, OUT, RANK, Memory

SECOND = Metric(key="second", label="second", column="Second", tested=True)


def _memory(seeds: dict[str, list[int]]) -> Memory:
    """Give runs of 60 images; fusion n is better by 3 n points, and noise is small."""
    memory, generator = Memory(), np.random.default_rng(0)
    image = generator.normal(50, 10, size=60)
    for place, (fusion, mine) in enumerate(seeds.items()):
        for seed in mine:
            memory.add(fusion, seed, values=image + 3 * place + generator.normal(scale=4, size=60))
    return memory


def _seeds(rows: list[dict[str, object]]) -> dict[tuple[object, object], tuple[object, object]]:
    return {(row["a"], row["b"]): (row["seeds"], row["seeds_counted"]) for row in rows}


def test_seeds_are_shared_per_pair_not_by_all() -> None:
    memory = _memory({"late": [0, 1, 2], "cross": [0, 1, 2], "scan": [0]})
    rows = differences(memory.rows, OUT, [ACCURACY], read=memory.read)
    # one run of scan does not take the other two pairs' seeds away
    assert _seeds(rows) == {("late", "cross"): (3, True), ("late", "scan"): (1, False), ("cross", "scan"): (1, False)}
    late, cross = (
        np.stack(
            [memory.items[OUT / f"runs/{name}-s{seed}" / "by_photo.safetensors", "accuracy"][0] for seed in range(3)]
        )
        for name in ("late", "cross")
    )
    tested = paired_test(late, cross, weights=np.ones(60))
    assert tested.items() <= rows[0].items()


def test_the_power_of_unequal_seeds_is_that_of_the_fewest() -> None:
    memory = _memory({"late": [0, 1, 2], "cross": [0, 1, 2], "scan": [0]})
    (row,) = power_of_tests(differences(memory.rows, OUT, [ACCURACY], read=memory.read))
    assert (row["seeds"], row["seeds_counted"]) == (1, False)


def test_a_pair_without_a_common_seed_is_not_tested_and_is_named() -> None:
    memory = _memory({"late": [0, 1], "cross": [0, 1], "scan": [2, 3]})
    rows = differences(memory.rows, OUT, [ACCURACY], read=memory.read)
    assert _seeds(rows) == {("late", "cross"): (2, True)}
    assert untested_pairs(memory.rows) == [("late", "scan"), ("cross", "scan")]
    assert untested_pairs(_memory({"late": [0], "cross": [0]}).rows) == []


def test_one_correction_over_all_metrics_and_pairs() -> None:
    memory = _memory({"late": [0], "cross": [0], "scan": [0]})
    for row in list(memory.rows):
        values = memory.items[OUT / str(row["run"]) / "by_photo.safetensors", "accuracy"][0]
        memory.add(row["fusion"], 0, values=values / 2, key="second")
    rows = differences(memory.rows, OUT, [SECOND, RANK, ACCURACY], read=memory.read)
    assert [row["metric"] for row in rows] == ["second"] * 3 + ["accuracy"] * 3
    assert [row["p_holm"] for row in rows] == holm([row["p"] for row in rows])
    assert all(row["distinguishable"] == (row["p_holm"] < 0.05) for row in rows)


def test_leaky_and_failed_runs_are_left_out() -> None:
    memory = _memory({"late": [0, 1], "cross": [0, 1], "leak": [0, 1]})
    memory.rows[-1]["flags"] = ["leaky"]
    memory.rows[1] |= {"status": "failed", "metrics": {}}
    rows = differences(memory.rows, OUT, [ACCURACY], read=memory.read)
    assert _seeds(rows) == {("late", "cross"): (1, False)}
    assert untested_pairs(memory.rows) == []


def test_a_metric_that_one_fusion_lacks_is_tested_for_the_others() -> None:
    memory = _memory({"late": [0], "cross": [0], "scan": [0]})
    memory.rows[2]["metrics"] = {}
    rows = differences(memory.rows, OUT, [ACCURACY, SECOND], read=memory.read)
    assert _seeds(rows) == {("late", "cross"): (1, False)}


def test_runs_on_other_images_are_refused() -> None:
    memory = _memory({"late": [0], "cross": [0]})
    memory.add("scan", 0, values=np.zeros(60), weights=np.arange(60))
    with pytest.raises(CheckpointError, match="other images"):
        differences(memory.rows, OUT, [ACCURACY], read=memory.read)
