"""Paired tests of all pairs of fusions, each pair on the seeds that both have."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from plait.compare.summary import check_same_images
from plait.core.metric import Metric
from plait.metrics.statistics import holm_corrected, paired_test
from plait.runs.items import ITEMS_FILE, ReadItems, current_key, read_items

__all__ = ["differences", "untested_pairs"]

# seed -> what each image adds (I,)
_Items = dict[int, np.ndarray]


def differences(
    rows: Sequence[Mapping[str, Any]],
    out: Path,
    metrics: Sequence[Metric],
    *,
    alpha: float = 0.05,
    resamples: int = 10_000,
    read: ReadItems = read_items,
) -> list[dict[str, Any]]:
    """Test every pair of fusions on every `tested` metric that both have, with Holm's correction over all tests.

    A pair is tested on the seeds that both fusions have: one seed each says nothing of training noise
    ("seeds_counted" is then False). A pair without a common seed is not tested; see `untested_pairs`. A leaky fusion
    is compared with nothing, and failed runs do not count.

    Arguments:
        rows:    results.json "rows"
        out:     the comparison's folder
        metrics: the task's
        read:    how a run's items are read
    Returns: rows {"a", "b", "metric"}, the fields of `paired_test` ("seeds" is how many seeds the pair shares),
        "p_holm" and "distinguishable", in the order of metrics, then of fusions
    Raises:
        CheckpointError: a run lacks the items of a metric, or was measured on other images.
    """
    good = _comparable(rows)
    names = list(dict.fromkeys(row["fusion"] for row in good))
    found: list[dict[str, Any]] = []
    for metric in metrics:
        if not metric.tested:
            continue
        having = [row for row in good if metric.key in map(current_key, row["metrics"])]
        items, weights = _items(having, out, metric, read)
        for a, b in itertools.combinations([name for name in names if name in items], 2):
            shared = sorted(items[a].keys() & items[b].keys())
            if shared:
                first, second = (np.stack([items[name][seed] for seed in shared]) for name in (a, b))
                tested = paired_test(first, second, weights=weights, alpha=alpha, resamples=resamples)
                found.append({"a": a, "b": b, "metric": metric.key, **tested})
    return holm_corrected(found, alpha=alpha)


def untested_pairs(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Give the pairs of fusions that could be compared but have no seed in common."""
    seeds: dict[str, set[int]] = {}
    for row in _comparable(rows):
        if "seed" in row:
            seeds.setdefault(row["fusion"], set()).add(row["seed"])
    return [(a, b) for a, b in itertools.combinations(seeds, 2) if not seeds[a] & seeds[b]]


def _comparable(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    leaky = {row["fusion"] for row in rows if "leaky" in (row.get("flags") or ())}
    return [row for row in rows if row.get("status") != "failed" and row["fusion"] not in leaky]


def _items(
    rows: Sequence[Mapping[str, Any]], out: Path, metric: Metric, read: ReadItems
) -> tuple[dict[str, _Items], np.ndarray | None]:
    """Read what each image adds under each seed of each fusion, and the weights that all runs share."""
    items: dict[str, _Items] = {}
    first: tuple[Path, np.ndarray] | None = None
    for row in rows:
        path = out / row["run"] / ITEMS_FILE
        values, weights = read(path, metric)
        first = first or (path, weights)
        check_same_images(*first, path, weights)
        items.setdefault(row["fusion"], {})[row["seed"]] = values
    return items, None if first is None else first[1]
