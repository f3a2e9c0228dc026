"""Runs held in memory: rows of results, and a reader of their items that needs no files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from plait.core.errors import CheckpointError
from plait.core.metric import Metric

__all__ = ["ACCURACY", "OUT", "RANK", "Memory"]

OUT = Path("out")
ACCURACY = Metric(key="accuracy", label="accuracy", column="Accuracy", headline=True, tested=True)
RANK = Metric(
    key="accuracy_rank",
    label="median rank",
    column="Rank",
    unit="",
    bounds=(1.0, float("inf")),
    higher_is_better=False,
    statistic="median",
)


class Memory:
    """Rows and items of runs; `read` stands in for `plait.runs.items.read_items`."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.items: dict[tuple[Path, str], tuple[np.ndarray, np.ndarray]] = {}

    def add(
        self,
        fusion: str,
        seed: int,
        *,
        values: np.ndarray | list[float],
        weights: np.ndarray | None = None,
        key: str = "accuracy",
        **changes: Any,
    ) -> dict[str, Any]:
        """Add a run's values of a metric, or another metric of a run that is there."""
        items = np.asarray(values, dtype=float)
        weights = np.ones(len(items)) if weights is None else weights
        run = f"runs/{fusion}-s{seed}"
        row = next((row for row in self.rows if row["run"] == run), None)
        if row is None:
            row = {
                "fusion": fusion,
                "tokens": "tokens",
                "pairing": "all",
                "seed": seed,
                "run": run,
                "flags": [],
                "status": "ok",
                "metrics": {},
                "params": 10,
                "step_ms": 1.0 + seed,
                "train_s": 2.0,
                "eval_s": 3.0,
                "peak_mb": 4.0,
            }
            self.rows.append(row)
        row["metrics"][key] = float(np.average(items, weights=weights))
        row |= changes
        self.items[OUT / run / "by_photo.safetensors", key] = (items, weights)
        return row

    def read(self, path: Path, metric: Metric) -> tuple[np.ndarray, np.ndarray]:
        """Give the items of a run."""
        if (path, metric.key) not in self.items:
            raise CheckpointError(f"{path}: holds no {metric.key!r}")
        return self.items[path, metric.key]
