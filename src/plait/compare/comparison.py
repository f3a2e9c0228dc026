"""A finished comparison: its folder, what results.json says, and the runs in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plait.core.errors import ConfigError, nearest
from plait.core.metric import Metric
from plait.core.show import data_frame, html_table
from plait.runs.open import open_run
from plait.tasks import find_task
from plait.trained import Run

__all__ = ["Comparison"]


@dataclass(frozen=True, repr=False)
class Comparison:
    """What a comparison found.

    Fields:
        folder:  where results.json, report.html and the runs lie
        results: what results.json says; `record` is another name for it
        failed:  how many runs failed; the command line's exit code depends on it
    """

    folder: Path
    results: dict[str, Any]
    failed: int

    @property
    def record(self) -> dict[str, Any]:
        """Give what results.json says."""
        return self.results

    @property
    def task(self) -> str:
        """Name its task."""
        return str(self.results["task"])

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Give one row per run: fusion, seed, status, metrics, flags, times."""
        return list(self.results["rows"])

    @property
    def summary(self) -> list[dict[str, Any]]:
        """Give one entry per fusion, the best first: each metric with mean and 95 % interval, costs, flags."""
        return list(self.results["summary"])

    @property
    def tests(self) -> list[dict[str, Any]]:
        """Give the paired tests between fusions."""
        return list(self.results["tests"])

    @property
    def verdict(self) -> str:
        """Say what the comparison found."""
        return str(self.results["verdict"])

    @property
    def fusions(self) -> tuple[str, ...]:
        """Name the fusions, the best first, those whose runs all failed last."""
        return tuple(dict.fromkeys(one["fusion"] for one in (*self.results["summary"], *self.results["rows"])))

    @property
    def seeds(self) -> tuple[int, ...]:
        """Give the seeds of its runs, in order."""
        return tuple(sorted({row["seed"] for row in self.results["rows"]}))

    @property
    def flags(self) -> tuple[str, ...]:
        """Give every flag of a run, such as "leaky"."""
        return tuple(dict.fromkeys(flag for row in self.results["rows"] for flag in row.get("flags", ())))

    @property
    def report(self) -> Path:
        """Give the path of its report."""
        return self.folder / "report.html"

    def run(self, fusion: str, seed: int | None = None) -> Run:
        """Open one of its runs; seed None = the first.

        Raises:
            ConfigError: there is no such run, or it failed.
        """
        rows = [row for row in self.rows if row["fusion"] == fusion and seed in (None, row["seed"])]
        if not rows:
            of_seed = "" if seed is None else f" under seed {seed}"
            known = ", ".join(f"{row['fusion']} (seed {row['seed']})" for row in self.rows)
            raise ConfigError(
                f"{self.folder}: no run of {fusion!r}{of_seed}{nearest(fusion, self.fusions)}; it has: {known}"
            )
        row = min(rows, key=lambda found: found["seed"])
        if row["status"] == "failed":
            raise ConfigError(f"{self.folder}: the run {row['run']} failed: {row.get('reason', 'it gives no reason')}")
        return open_run(self.folder / row["run"])

    def to_frame(self) -> Any:
        """Give a pandas DataFrame with one row per run: fusion, seed, status, one column per metric, params, train_s.

        Raises:
            MissingPackageError: pandas is not installed.
        """
        keys = list(dict.fromkeys(key for row in self.rows for key in row.get("metrics", {})))
        columns: dict[str, list[Any]] = {
            name: [row.get(name) for row in self.rows] for name in ("fusion", "seed", "status", "params", "train_s")
        }
        return data_frame({**columns, **{key: [row.get("metrics", {}).get(key) for row in self.rows] for key in keys}})

    def __repr__(self) -> str:
        """Say in one line what was compared and the best figure."""
        metric, failed = self._headline(), f"; {self.failed} failed" if self.failed else ""
        best = self.results["summary"][:1]
        said = "".join(
            f"; best {entry['fusion']}, {metric.label} {_mean(entry, metric):.1f}"
            for entry in best
            if _mean(entry, metric) is not None
        )
        return (
            f"Comparison({str(self.folder)!r}: {self.task}, {len(self.fusions)} fusions x {len(self.seeds)} seeds"
            f"{said}{failed})"
        )

    def _repr_html_(self) -> str:
        metric = self._headline()
        rows = []
        for place, entry in enumerate(self.results["summary"], start=1):
            found = entry.get(metric.key)
            mean = _mean(entry, metric)
            interval = f"{found['low']:.1f} to {found['high']:.1f}" if isinstance(found, dict) else ""
            figure = "-" if mean is None else f"{mean:.1f}"
            rows.append([place, entry["fusion"], figure, interval, ", ".join(entry.get("flags", ()))])
        header = ["", "fusion", metric.head, "95 %", "flags"]
        return html_table(f"{self.folder}: task {self.task}", rows, header=header, note=self.verdict)

    def _headline(self) -> Metric:
        return find_task(self.task).headline([key for row in self.rows for key in row.get("metrics", {})])


def _mean(entry: dict[str, Any], metric: Metric) -> float | None:
    found = entry.get(metric.key)
    return float(found["mean"]) if isinstance(found, dict) else None
