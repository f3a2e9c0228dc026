"""A comparison on disk: results.json, gallery.json and the report made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plait.compare.verdict import verdict
from plait.core.errors import CheckpointError
from plait.core.files import read_json
from plait.core.made import joined
from plait.report.older import current_results
from plait.report.page import write_report
from plait.tasks import TASKS, find_task

__all__ = ["read_results", "report_comparison"]


def read_results(out: Path) -> dict[str, Any]:
    """Give what results.json of a comparison says.

    Raises:
        CheckpointError: the folder holds no results, or the file is damaged.
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
    return {"task": next(iter(TASKS)), **joined(results)}  # the first versions had one task and did not say which


def report_comparison(out: Path) -> Path:
    """Write `out`/report.html from results.json and gallery.json, and give its path.

    Raises:
        CheckpointError: `out` holds no results.json.
    """
    results = _with_verdict(read_results(out))
    gallery, path = out / "gallery.json", out / "report.html"
    page = find_task(results["task"]).load_page()
    write_report(results, read_json(gallery) if gallery.exists() else None, path, page=page)
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
