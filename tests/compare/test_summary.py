"""A summary: one entry per fusion, whatever the task's metrics are."""

from __future__ import annotations

import numpy as np
import pytest

from plait.compare.summary import best_first, summarise
from plait.core.errors import CheckpointError
from plait.core.metric import Metric
from plait.metrics.statistics import bootstrap_interval, bootstrap_median
from tests.compare.memory import ACCURACY, OUT, RANK, Memory

RANDOM = Metric(key="hit_random", label="random hits", column="Random")


def test_an_entry_holds_means_over_seeds_and_intervals() -> None:
    generator, weights = np.random.default_rng(0), np.arange(1, 61)
    values = 100.0 * generator.integers(0, 2, size=(2, 60))
    memory = Memory()
    memory.add("cross", 0, values=values[0], weights=weights, budget={"steps": 5}, flags=["b"])
    memory.add("cross", 1, values=values[1], weights=weights, flags=["a", "b"])
    (entry,) = summarise(memory.rows, OUT, [RANK, ACCURACY], read=memory.read)
    interval = bootstrap_interval(values, weights=weights, bounds=(0.0, 100.0))
    assert entry == {
        "fusion": "cross",
        "tokens": "tokens",
        "pairing": "all",
        "params": 10,
        "seeds": 2,
        "budget": {"steps": 5},
        "flags": ["a", "b"],
        "step_ms": 1.5,
        "train_s": 2.0,
        "eval_s": 3.0,
        "peak_mb": 4.0,
        "accuracy": {"mean": interval.mean, "low": interval.low, "high": interval.high},
    }


def test_medians_are_of_all_answers() -> None:
    ranks, owner = np.array([1.0, 2.0, 8.0, 9.0, 3.0]), np.array([0, 0, 1, 1, 2])
    memory = Memory()
    memory.add("late", 0, values=ranks, weights=owner, key="accuracy_rank")
    (entry,) = summarise(memory.rows, OUT, [RANK], read=memory.read)
    median = bootstrap_median(ranks, owner)
    assert entry["accuracy_rank"] == {"mean": 3.0, "low": median.low, "high": median.high}


def test_old_and_unknown_keys() -> None:
    memory = Memory()
    memory.add("late", 0, values=[1.0, 2.0], key="hit_random")
    memory.rows[0]["metrics"] = {"hit_luck": 1.5, "of another version": 3.0}
    (entry,) = summarise(memory.rows, OUT, [RANDOM], read=memory.read)
    assert entry["hit_random"]["mean"] == 1.5
    assert not {"hit_luck", "of another version"} & entry.keys()


def test_failed_runs_do_not_count_and_columns_can_be_named() -> None:
    memory = Memory()
    memory.add("late", 0, values=[0.0, 100.0], beams=4)
    memory.rows.append({"fusion": "late", "seed": 1, "run": "runs/late-s1", "flags": [], "status": "failed"})
    memory.rows.append({"fusion": "gone", "seed": 0, "run": "runs/gone-s0", "flags": [], "status": "failed"})
    entries = summarise(memory.rows, OUT, [ACCURACY], columns=("beams", "absent"), read=memory.read)
    assert [(entry["fusion"], entry["seeds"], entry["beams"]) for entry in entries] == [("late", 1, 4)]
    assert not {"absent", "tokens"} & entries[0].keys()


def test_runs_on_other_images_are_refused() -> None:
    memory = Memory()
    memory.add("late", 0, values=[0.0, 100.0])
    memory.add("late", 1, values=[0.0, 100.0], weights=np.array([2.0, 1.0]))
    with pytest.raises(CheckpointError, match=r"other images.*delete"):
        summarise(memory.rows, OUT, [ACCURACY], read=memory.read)
    memory.rows[1]["metrics"] = memory.rows[0]["metrics"] = {"accuracy": 1.0, "accuracy_rank": 2.0}
    with pytest.raises(CheckpointError, match="holds no"):
        summarise(memory.rows[:1], OUT, [ACCURACY, RANK], read=memory.read)


def test_best_first_knows_directions_and_leaks() -> None:
    def entry(fusion: str, mean: float | None, *flags: str) -> dict[str, object]:
        cells = {} if mean is None else {key: {"mean": mean} for key in ("accuracy", "accuracy_rank")}
        return {"fusion": fusion, "flags": list(flags), **cells}

    entries = [entry("leak", 99.0, "leaky"), entry("none", None), entry("a", 10.0), entry("b", 20.0)]
    assert [one["fusion"] for one in best_first(entries, ACCURACY)] == ["b", "a", "none", "leak"]
    assert [one["fusion"] for one in best_first(entries, RANK)] == ["a", "b", "none", "leak"]
