"""One entry per fusion: the means of its figures over seeds, with intervals, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from plait.core.errors import CheckpointError
from plait.core.metric import Metric, metric_table
from plait.metrics.intervals import interval_of
from plait.runs.items import ITEMS_FILE, ReadItems, current_key, read_items

__all__ = ["best_first", "check_same_images", "stacked_items", "summarise"]

# What a task says of how it uses a fusion (`plait.task.Use`), and is the same for all seeds.
COLUMNS = ("tokens", "pairing", "rerank_k")
_COSTS = ("step_ms", "train_s", "eval_s", "peak_mb")


def summarise(
    rows: Sequence[Mapping[str, Any]],
    out: Path,
    metrics: Sequence[Metric],
    *,
    columns: Sequence[str] = COLUMNS,
    read: ReadItems = read_items,
) -> list[dict[str, Any]]:
    """Summarise the runs of a comparison: one entry per fusion, in the order of the rows.

    A fusion whose runs all failed gets no entry. Which metrics an entry has is what the fusion's first run says; a
    metric that is not among `metrics` is left out.

    Arguments:
        rows:    results.json "rows"
        out:     the comparison's folder
        metrics: the task's
        columns: keys that are copied from the fusion's first run, where it has them
        read:    how a run's items are read
    Returns: entries {"fusion", columns, "params", "seeds", "budget" where there is one, "flags", "step_ms", "train_s",
        "eval_s", "peak_mb", KEY: {"mean", "low", "high"} for each metric}
    Raises:
        CheckpointError: a run lacks the items of a metric, or was measured on other images.
    """
    table = metric_table(metrics)
    good = [row for row in rows if row["status"] != "failed"]
    entries = []
    for fusion in dict.fromkeys(row["fusion"] for row in good):
        mine = [row for row in good if row["fusion"] == fusion]
        first = mine[0]
        entry = {"fusion": fusion, **{key: first[key] for key in (*columns, "params") if key in first}}
        entry["seeds"] = len(mine)
        entry |= {"budget": first["budget"]} if "budget" in first else {}
        entry["flags"] = sorted({flag for row in mine for flag in row["flags"]})
        entry |= {key: float(np.mean([row[key] for row in mine])) for key in _COSTS}
        for key in map(current_key, first["metrics"]):
            if key in table:
                found = interval_of(table[key], *stacked_items(mine, out, table[key], read=read))
                entry[key] = {"mean": found.mean, "low": found.low, "high": found.high}
        entries.append(entry)
    return entries


def best_first(entries: Sequence[dict[str, Any]], metric: Metric) -> list[dict[str, Any]]:
    """Sort a summary by a metric, best first.

    Entries without it come after the others, leaky ones last: their figures are no results, however high.
    """
    sign = -1.0 if metric.higher_is_better else 1.0

    def place(entry: dict[str, Any]) -> tuple[bool, bool, float]:
        cell = entry.get(metric.key)
        return "leaky" in entry["flags"], cell is None, 0.0 if cell is None else sign * cell["mean"]

    return sorted(entries, key=place)


def stacked_items(
    rows: Sequence[Mapping[str, Any]], out: Path, metric: Metric, *, read: ReadItems = read_items
) -> tuple[np.ndarray, np.ndarray]:
    """Stack the items of several runs, (S, I), and give the weights or owners that they share, (I,).

    Raises:
        CheckpointError: a run lacks the metric, or was measured on other images than the first.
    """
    paths = [out / row["run"] / ITEMS_FILE for row in rows]
    found = [read(path, metric) for path in paths]
    first = found[0][1]
    for path, (_, beside) in zip(paths, found, strict=True):
        check_same_images(paths[0], first, path, beside)
    return np.stack([items for items, _ in found]), first


def check_same_images(here: Path, beside: np.ndarray, there: Path, other: np.ndarray) -> None:
    """Refuse runs that were not measured on the same images with the same answers.

    Shapes:
        beside, other: (I,) weights or owners of the two runs
    Raises:
        CheckpointError: they differ.
    """
    if not np.array_equal(beside, other):
        raise CheckpointError(
            f"{there}: was measured on other images or captions than {here}; delete {there.parent}, and the same "
            "command fits that run again"
        )
