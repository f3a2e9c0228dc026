"""A comparison on disk: results.json, gallery.json and the report made of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plait.compare.comparison import Comparison
from plait.compare.verdict import verdict
from plait.core.errors import CheckpointError
from plait.core.files import read_json
from plait.core.made import joined
from plait.core.metric import Metric, metric_table
from plait.report.older import current_results
from plait.report.page import write_report
from plait.runs.items import current_key
from plait.tasks import TASKS, find_task

__all__ = ["open_comparison", "read_results", "report_comparison"]

_AGAIN = "the file was changed or is damaged. The `plait compare` command that made it writes it again"


def read_results(out: Path) -> dict[str, Any]:
    """Give what results.json of a comparison says.

    Raises:
        CheckpointError: the folder holds no results, or the file is damaged, or holds figures that cannot be.
    """
    path = out / "results.json"
    if not path.is_file():
        raise CheckpointError(
            f"{path}: no such file; expected the folder of a comparison (`plait compare --out {out}`)"
        )
    results = read_json(path)
    if not isinstance(results, dict) or not isinstance(results.get("rows"), list):
        raise CheckpointError(
            f"{path}: expected the results of a comparison with 'rows'; it is damaged or of another program. The "
            "`plait compare` command that made it writes it again"
        )
    results = {"task": next(iter(TASKS)), **joined(results)}  # the first versions had one task and did not say which
    _check_figures(results, find_task(results["task"]).metrics, path)
    return results


def report_comparison(out: Path) -> Path:
    """Write `out`/report.html from results.json and gallery.json, and give its path.

    Raises:
        CheckpointError: `out` holds no results.json.
    """
    results = _with_verdict(read_results(out))
    gallery, path = out / "gallery.json", out / "report.html"
    page = find_task(results["task"]).load_page()
    shown = read_json(gallery) if gallery.exists() else {}
    if not isinstance(shown, dict):
        raise CheckpointError(
            f"{gallery}: expected the gallery of a comparison, an object; the file is damaged. Delete it, or let the "
            "`plait compare` command that made it write it again"
        )
    write_report(results, shown or None, path, page=page)
    return path


def _with_verdict(results: dict[str, Any]) -> dict[str, Any]:
    """Give results of the first versions, whose verdict is one text, the verdict in parts that their tests lead to."""
    if results.get("verdict_parts") or not results.get("summary"):
        return results
    known = current_results(results)
    measured = [key for row in known["rows"] for key in row.get("metrics") or ()]
    said = verdict(
        known["summary"],
        known.get("tests") or (),
        rows=known["rows"],
        metric=find_task(known["task"]).headline(measured),
        power=known.get("power") or (),
    )
    return {**results, "verdict_parts": said.to_json()}


def open_comparison(out: Path) -> Comparison:
    """Open a finished comparison. Raises as `read_results`."""
    results = read_results(out)
    return Comparison(out, results, sum(row.get("status") == "failed" for row in results["rows"]))


def _check_figures(results: dict[str, Any], metrics: Sequence[Metric], path: Path) -> None:
    """Refuse figures beyond the bounds of their metric: the file was changed, or its writer had a fault."""
    table = metric_table(metrics)
    for place, row in enumerate(results["rows"]):
        found = row.get("metrics", {}) if isinstance(row, dict) else None
        if not isinstance(found, dict):
            raise CheckpointError(
                f"{path}, rows[{place}]: expected a run with 'metrics', got {str(row)[:60]}; {_AGAIN}"
            )
        for key, value in found.items():
            _check_figure(table.get(current_key(key)), value, f"{path}, rows[{place}].metrics.{key}")
    summary = results.get("summary", [])
    for place, entry in enumerate(summary if isinstance(summary, list) else []):
        for key, metric in table.items():
            cell = entry.get(key) if isinstance(entry, dict) else None
            if isinstance(cell, dict):
                for end, value in cell.items():
                    _check_figure(metric, value, f"{path}, summary[{place}].{key}.{end}")


def _check_figure(metric: Metric | None, value: Any, where: str) -> None:
    if metric is None:  # of an earlier version; nothing shows it
        return
    low, high = metric.bounds
    room = 1e-6 * max(1.0, abs(low))  # a mean of float32 values may end a hair beyond
    if isinstance(value, bool) or not isinstance(value, int | float) or not low - room <= value <= high + room:
        raise CheckpointError(
            f"{where}: expected {metric.label} from {low:g} to {high:g}, got {str(value)[:40]}; {_AGAIN}"
        )
