"""Items of a run on disk: written, read again, and read from files of earlier versions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from plait.core.errors import CheckpointError, InputError
from plait.core.evaluation import Evaluation, Measured
from plait.core.metric import Metric
from plait.metrics.intervals import interval_of, intervals
from plait.metrics.statistics import bootstrap_interval, bootstrap_median
from plait.runs.items import ITEMS_FILE, current_key, read_items, write_items
from plait.tasks.mask.metrics import METRIC_OF as MASK
from plait.tasks.match.metrics import METRIC_OF as MATCH
from plait.train.checkpoint import read_tensors, write_tensors

RECALL, RANK = MATCH["t2i_r1"], MATCH["t2i_median_rank"]


def _evaluation(*measured: Measured) -> Evaluation:
    return Evaluation("val", (0, 1, 2), (0, 1, 2, 3), measured, score_kind="cosine")


def _example(images: int = 60) -> Evaluation:
    generator = np.random.default_rng(0)
    values, weights = 100.0 * generator.integers(0, 2, size=images), generator.integers(1, 4, size=images)
    ranks, owner = generator.integers(1, 9, size=2 * images).astype(float), np.arange(2 * images) % images
    return _evaluation(
        Measured(RECALL, float(np.average(values, weights=weights)), values, weights=weights),
        Measured(RANK, float(np.median(ranks)), ranks, owner=owner),
    )


def test_items_come_back_as_they_were(tmp_path: Path) -> None:
    evaluation = _example()
    write_items(tmp_path, evaluation)
    items, weights = read_items(tmp_path / ITEMS_FILE, RECALL)
    np.testing.assert_array_equal(items, evaluation["t2i_r1"].items)
    np.testing.assert_array_equal(weights, evaluation["t2i_r1"].weights)
    ranks, owner = read_items(tmp_path / ITEMS_FILE, RANK)
    np.testing.assert_array_equal(ranks, evaluation["t2i_median_rank"].items)
    np.testing.assert_array_equal(owner, evaluation["t2i_median_rank"].owner)
    tensors, metadata = read_tensors(tmp_path / ITEMS_FILE)
    assert sorted(tensors) == ["t2i_median_rank", "t2i_median_rank.owner", "t2i_r1", "t2i_r1.weights"]
    assert metadata == {"split": "val"}


def test_a_mean_without_weights_has_equal_ones(tmp_path: Path) -> None:
    write_items(tmp_path, _evaluation(Measured(RECALL, 50.0, np.array([0.0, 100.0]))))
    assert read_items(tmp_path / ITEMS_FILE, RECALL)[1].tolist() == [1.0, 1.0]


def test_files_of_earlier_versions_are_read(tmp_path: Path) -> None:
    old = {
        "t2i_r1": [0.0, 100.0],
        "t2i_r1_luck": [5.0, 6.0],
        "binding_accuracy": [50.0, 100.0],
        "counts.t2i": [5, 4],
        "counts.i2t": [1, 1],
        "counts.binding": [2, 3],
        "ranks.t2i": [1.0, 7.0, 2.0],
        "rank_photo.t2i": [0, 0, 1],
    }
    path = tmp_path / ITEMS_FILE
    write_tensors(path, {name: torch.tensor(values) for name, values in old.items()}, {"split": "val"})
    for metric, items, beside in (
        (RECALL, "t2i_r1", "counts.t2i"),
        (MATCH["t2i_r1_random"], "t2i_r1_luck", "counts.t2i"),
        (MATCH["binding_accuracy"], "binding_accuracy", "counts.binding"),
        (RANK, "ranks.t2i", "rank_photo.t2i"),
    ):
        found = read_items(path, metric)
        assert [one.tolist() for one in found] == [old[items], old[beside]]
    with pytest.raises(CheckpointError, match=rf"holds no 'i2t_r1'.*delete {tmp_path}"):
        read_items(path, MATCH["i2t_r1"])


def test_the_only_counts_of_an_old_file_serve_all_its_metrics(tmp_path: Path) -> None:
    path = tmp_path / ITEMS_FILE
    write_tensors(path, {"miou": torch.tensor([30.0, 40.0]), "counts.mask": torch.tensor([1, 2])}, {"split": "val"})
    assert [one.tolist() for one in read_items(path, MASK["miou"])] == [[30.0, 40.0], [1, 2]]
    with pytest.raises(CheckpointError, match="'oiou'"):
        read_items(path, MASK["oiou"])


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        read_items(tmp_path / ITEMS_FILE, RECALL)


def test_old_keys_have_present_names() -> None:
    assert [current_key(key) for key in ("t2i_r1_luck", "t2i_r1", "i2t_r1_random")] == [
        "t2i_r1_random",
        "t2i_r1",
        "i2t_r1_random",
    ]


def test_intervals_of_an_evaluation() -> None:
    evaluation = _example()
    found = intervals(evaluation)
    recall, rank = evaluation["t2i_r1"], evaluation["t2i_median_rank"]
    assert recall.owner is None
    assert rank.owner is not None
    mean = bootstrap_interval(recall.items, weights=recall.weights, bounds=(0.0, 100.0))
    median = bootstrap_median(rank.items, rank.owner)
    assert found == {
        "t2i_r1": {"mean": mean.mean, "low": mean.low, "high": mean.high},
        "t2i_median_rank": {"mean": median.mean, "low": median.low, "high": median.high},
    }


@pytest.mark.parametrize("values", [[100.0], [100.0, 100.0, 0.0], [0.0] * 5, [100.0] * 20])
def test_intervals_of_small_data_stay_inside_the_bounds(values: list[float]) -> None:
    found = intervals(_evaluation(Measured(RECALL, float(np.mean(values)), np.array(values))))["t2i_r1"]
    assert 0.0 <= found["low"] <= found["mean"] <= found["high"] <= 100.0
    assert found["high"] - found["low"] > 10, "so few images prove little"


def test_a_metric_without_an_upper_bound_is_cut_below_only() -> None:
    metric = Metric(key="cost", label="cost", column="Cost", unit="", bounds=(0.0, float("inf")))
    found = interval_of(metric, np.array([0.0, 0.0, 9.0]), None)
    assert found.low == 0.0
    assert found.high > 5.0
    with pytest.raises(InputError, match=r"'t2i_median_rank'.*image that each answer belongs to"):
        interval_of(RANK, np.array([1.0]), None)
