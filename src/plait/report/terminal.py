"""Figures in a terminal: plain tables, lines of figures, and the leaderboard of a comparison. Imports no numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from plait.core.metric import Metric, metric_table
from plait.report.older import current_results
from plait.report.words import verdict_of

__all__ = ["board", "figure", "figure_lines", "table"]

Board = Callable[[Mapping[str, Any]], list[str]]


def table(rows: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    """Lay rows out in columns; columns that hold only numbers are aligned right."""
    widths = [max(len(str(row[i])) for row in (header, *rows)) for i in range(len(header))]
    right = [bool(rows) and all(_numeric(str(row[i])) for row in rows) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(map(str, row), widths, right, strict=True)]
        return "  ".join(cells).rstrip()

    return "\n".join([line(header), line(["─" * width for width in widths]), *map(line, rows)])


def figure(metric: Metric, value: float | None) -> str:
    """Give a metric's value as text, without its unit: one decimal for percent, else three digits; "" for None."""
    if value is None:
        return ""
    return f"{value:.1f}" if metric.unit == "%" else f"{value:.3g}"


def figure_lines(metrics: Sequence[Metric], *lines: Sequence[str]) -> Callable[[Mapping[str, float]], list[str]]:
    """Make a function from a run's figures to lines, each of the metrics with the keys given: "mIoU 48.2, oIoU 47.9".

    Metrics that a run lacks are left out, and so are lines without a figure.
    """
    by_key = metric_table(metrics)

    def show(found: Mapping[str, float]) -> list[str]:
        texts = [[_named(by_key[key], found[key]) for key in keys if found.get(key) is not None] for keys in lines]
        return [", ".join(parts) for parts in texts if parts]

    return show


def board(
    metrics: Sequence[Metric],
    *,
    items: str,
    intervals: Sequence[str],
    means: Sequence[str] = (),
    columns: Mapping[str, Callable[[Mapping[str, Any]], str]] | None = None,
    baselines: Sequence[str] = (),
    notes: Callable[[Mapping[str, Any]], Sequence[str]] | None = None,
) -> Board:
    """Make a function from the results of a comparison to the lines of its leaderboard.

    Arguments:
        metrics:   the task's; columns are headed by their names
        items:     what one thing asked about is called
        intervals: keys of the metrics shown with an interval; those that no fusion has are left out
        means:     keys of the metrics shown without one
        columns:   head -> row of the summary to text: what else is said of a fusion
        baselines: keys of metrics that read nothing: one row each, their figure in the first interval's column
        notes:     results -> lines below the first
    """
    by_key = metric_table(metrics)

    def show(found: Mapping[str, Any]) -> list[str]:
        results = current_results(found)
        lines = [_head(results, items), *(notes(results) if notes is not None else ())]
        summary = results["summary"]
        if summary:
            shown = [by_key[key] for key in intervals if any(entry.get(key) for entry in summary)]
            plain = [by_key[key] for key in means if any(entry.get(key) for entry in summary)]
            wide = [by_key[key] for key in baselines if summary[0].get(key)]
            lines += ["", _leaderboard(summary, shown, plain, columns=columns or {}, baselines=wide)]
        failed = [f"{row['run']}: {row['reason']}" for row in results["rows"] if row["status"] == "failed"]
        finding, rest, warnings = verdict_of(results)
        return [*lines, "", *([finding] if finding else []), *rest, *warnings, *failed]

    return show


def _head(results: Mapping[str, Any], items: str) -> str:
    where = results["data"]
    split = where["splits"][where["eval_split"]]
    counts = f"{split['photos']:,} photos, {split['captions']:,} {items}"
    return f"{where['name']}, split {where['eval_split']}: {counts}"


def _leaderboard(
    summary: Sequence[Mapping[str, Any]],
    shown: Sequence[Metric],
    plain: Sequence[Metric],
    *,
    columns: Mapping[str, Callable[[Mapping[str, Any]], str]],
    baselines: Sequence[Metric],
) -> str:
    flagged = any(entry.get("flags") for entry in summary)
    header = ["fusion", "tokens", *columns, "seeds"]
    for metric in shown:
        header += [metric.short_head, "95 %"]
    header += [*(metric.short_head for metric in plain), "params", "step ms", "train s"]
    header += ["flags"] if flagged else []
    rows = []
    for entry in summary:
        row = [entry["fusion"], entry["tokens"], *(text(entry) for text in columns.values()), str(entry["seeds"])]
        for metric in shown:
            row += _with_interval(metric, entry.get(metric.key))
        row += [figure(metric, (entry.get(metric.key) or {}).get("mean")) for metric in plain]
        row += [f"{entry['params']:,}", f"{entry['step_ms']:.0f}", f"{entry['train_s']:.0f}"]
        rows.append(row + ([", ".join(entry.get("flags") or ())] if flagged else []))
    before = 3 + len(columns)
    for metric in baselines:
        row = [
            f"({metric.short or metric.column})",
            *[""] * (before - 1),
            *_with_interval(metric, summary[0][metric.key]),
        ]
        rows.append(row + [""] * (len(header) - len(row)))
    return table(rows, header)


def _with_interval(metric: Metric, cell: Mapping[str, float] | None) -> list[str]:
    if cell is None:
        return ["", ""]
    return [figure(metric, cell["mean"]), f"{figure(metric, cell['low'])}-{figure(metric, cell['high'])}"]


def _named(metric: Metric, value: float) -> str:
    return f"{metric.short or metric.column} {figure(metric, value)}"


def _numeric(text: str) -> bool:
    return text.replace(",", "").replace(".", "").replace("-", "").replace(" ", "").isdigit() or text == ""
