"""The report's leaderboard: one row per fusion, interval bars, and further columns by view."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from plait.core.metric import Metric
from plait.report.charts.bars import interval_bar
from plait.report.charts.ticks import nice_ticks
from plait.report.flags import flag_badges
from plait.report.layout import Page, ReportData
from plait.report.text import (
    MISSING,
    badge,
    cell_of,
    colour_of,
    count,
    escape,
    figure,
    number_of,
    seconds,
    thousands,
    value_of,
)

__all__ = ["leaderboard", "view_buttons", "view_styles"]

_TOKENS = {"tokens": "word and region tokens are fused", "pooled": "one vector per side is fused"}
_OVERVIEW = ("main", "Overview")
_COST = ("cost", "Cost")
LONG_HEAD = 20


def leaderboard(data: ReportData, page: Page) -> str:
    """Draw one row per fusion, in the order given; JavaScript sorts it and switches the views."""
    bars = data.measured(page.layout.bars)
    main = data.measured(page.layout.main)
    views = [(view.name, data.measured(view.keys)) for view in page.layout.views]
    ends = {metric.key: _ends(data, metric) for metric in bars}
    head = ['<th scope="col" class="name" data-sort="text"><button type="button">Fusion</button></th>']
    head.extend(_bar_head(metric, ends[metric.key], ranks=metric == data.headline()) for metric in bars)
    head.extend(_head("view-main", metric.head) for metric in main)
    for view, metrics in views:
        head.extend(_head(f"view-{view}", metric.head) for metric in metrics)
    head.append(_head("view-main view-cost", "Parameters"))
    head.append(_head("view-main view-cost", "Step ms"))
    head.extend(_head("view-cost", label) for label in ("Training", "Evaluation", "Peak memory"))
    body = []
    for row in data.summary:
        runs = [run for run in data.rows if run.get("fusion") == row["fusion"]]
        cells = [_name_cell(data, page, row, runs)]
        cells.extend(_bar_cell(data, row, metric, ends[metric.key]) for metric in bars)
        cells.extend(_metric_cell(row, metric, "view-main") for metric in main)
        for view, metrics in views:
            cells.extend(_metric_cell(row, metric, f"view-{view}") for metric in metrics)
        cells.extend(_cost_cells(row, runs))
        body.append(f'<tr data-fusion="{escape(row["fusion"])}">{"".join(cells)}</tr>')
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Leaderboard">'
        '<table id="leaderboard" class="show-main">'
        '<caption class="hidden">One row per fusion; means over seeds with 95 % intervals</caption>'
        f"<thead><tr>{''.join(head)}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def view_buttons(data: ReportData, page: Page) -> str:
    """Draw the buttons of the views that have a column."""
    middle = [(view.name, view.label) for view in page.layout.views if data.measured(view.keys)]
    return "".join(
        f'<button type="button" data-view="{name}" aria-pressed="{str(name == _OVERVIEW[0]).lower()}">'
        f"{escape(label)}</button>"
        for name, label in (_OVERVIEW, *middle, _COST)
    )


def view_styles(page: Page) -> str:
    """Give the CSS that shows the columns of the pressed view."""
    names = (_OVERVIEW[0], *(view.name for view in page.layout.views), _COST[0])
    return ", ".join(f".show-{name} .view-{name}" for name in names) + " { display: table-cell }"


def _head(view: str, label: str) -> str:
    return f'<th scope="col" class="{view}" data-sort="number">{_button(label)}</th>'


def _button(label: str) -> str:
    """Draw the head of a column; one that is long may take two lines."""
    return f'<button type="button"{" class=long" if len(label) > LONG_HEAD else ""}>{escape(label)}</button>'


def _bar_head(metric: Metric, ends: tuple[float, float], *, ranks: bool) -> str:
    bottom, top = ends
    ticks = "".join(
        f'<span style="left:{100 * (tick - bottom) / (top - bottom):.1f}%">{tick:g}</span>'
        for tick in nice_ticks(bottom, top, wanted=4)
        if bottom <= tick <= top
    )
    order = ("descending" if metric.higher_is_better else "ascending") if ranks else ""
    sorted_by = f' aria-sort="{order}"' if order else ""
    return (
        f'<th scope="col" class="view-main" data-sort="number"{sorted_by}>{_button(metric.head)}'
        f'<span class="scale" aria-hidden="true">{ticks}</span></th>'
    )


def _ends(data: ReportData, metric: Metric) -> tuple[float, float]:
    """Give the ends of a metric's bars: round numbers around all intervals, 0 and the floor, within its bounds."""
    cells = [cell for row in data.summary if (cell := cell_of(row, metric.key)) is not None]
    floor = data.floors.get(metric.key, 0.0)
    lowest = min([low for _, low, _ in cells] + [0.0, floor])
    highest = max([high for _, _, high in cells] + [floor])
    ticks = nice_ticks(lowest, highest, wanted=4)
    least, most = metric.bounds
    bottom = max(ticks[0], least) if math.isfinite(least) and least <= 0 else ticks[0]
    return bottom, min(ticks[-1], most)


def _name_cell(data: ReportData, page: Page, row: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> str:
    marks = [badge(mark.text, title=mark.hint) for mark in page.badges(row, runs)]
    if row.get("tokens"):
        marks.append(badge(str(row["tokens"]), title=_TOKENS.get(str(row["tokens"]), "")))
    if isinstance(row.get("budget"), Mapping):
        marks.append(_budget_badge(row["budget"]))
    seeds = number_of(row.get("seeds"))
    if seeds is not None:
        marks.append(badge(count(int(seeds), "seed"), "warn" if seeds < 2 else "plain"))
    marks.append(flag_badges(row, runs))
    name = str(row["fusion"])
    return (
        f'<th scope="row" class="name" data-value="{escape(name)}">{data.label(name)}'
        f'<span class="badges">{"".join(marks)}</span></th>'
    )


def _budget_badge(budget: Mapping[str, Any]) -> str:
    same = f"matched to {budget.get('reference')}: "
    if "steps" in budget:
        text = count(int(budget["steps"]), "step")
        return badge(text, title=f"{same}{seconds(budget.get('seconds'))} of training; steps were timed before it")
    off = 100 * float(budget["off"])
    return badge(f"width {budget['width']}", title=f"{same}{thousands(budget['params'])} parameters, {off:+.1f} %")


def _bar_cell(data: ReportData, row: Mapping[str, Any], metric: Metric, ends: tuple[float, float]) -> str:
    cell = cell_of(row, metric.key)
    if cell is None:
        return f'<td class="view-main" data-value="">{MISSING}</td>'
    mean, low, high = (value_of(metric, value) for value in cell)
    unit = f" {metric.unit}" if metric.unit else ""
    label = f"{row['fusion']}, {metric.label}: {mean}{unit}, 95 % interval {low} to {high}"
    colour = colour_of(str(row["fusion"]), data.order)
    bar = interval_bar(cell, ends=ends, floor=data.floors.get(metric.key), colour=colour, label=label)
    return (
        f'<td class="view-main estimate" data-value="{cell[0]}">{bar}<span class="value"><b>{mean}</b>'
        f"<small>{low} – {high}</small></span></td>"
    )


def _metric_cell(row: Mapping[str, Any], metric: Metric, view: str) -> str:
    cell = cell_of(row, metric.key)
    if cell is None:
        return f'<td class="{view}" data-value="">{MISSING}</td>'
    mean, low, high = (value_of(metric, value) for value in cell)
    ends = f"<small>{low} – {high}</small>" if (low, high) != (mean, mean) else ""
    return f'<td class="{view}" data-value="{cell[0]}"><span class="value"><b>{mean}</b>{ends}</span></td>'


def _cost_cells(row: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> list[str]:
    evaluation, memory = _largest(runs, "eval_s"), _largest(runs, "peak_mb")
    return [
        _cost_cell("view-main view-cost", row.get("params"), thousands(row.get("params"))),
        _cost_cell("view-main view-cost", row.get("step_ms"), figure(row.get("step_ms"), 0)),
        _cost_cell("view-cost", row.get("train_s"), seconds(row.get("train_s"))),
        _cost_cell("view-cost", evaluation, seconds(evaluation)),
        _cost_cell("view-cost", memory, figure(memory, 0, unit="MB")),
    ]


def _cost_cell(view: str, value: object, shown: str) -> str:
    number = number_of(value)
    return f'<td class="{view}" data-value="{"" if number is None else number}">{shown}</td>'


def _largest(rows: Sequence[Mapping[str, Any]], key: str) -> float | None:
    return max((value for row in rows if (value := number_of(row.get(key))) is not None), default=None)
