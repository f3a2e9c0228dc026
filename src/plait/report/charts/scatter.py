"""Cost against quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plait.core.metric import Metric
from plait.report.charts.axes import Frame, draw_axes, figure, free_labels, svg
from plait.report.charts.ticks import log_ticks, nice_ticks, time_ticks
from plait.report.text import cell_of, colour_of, escape, number_of, seconds, thousands, value_of

__all__ = ["scatter"]


def scatter(summary: Sequence[Mapping[str, Any]], key: str, *, title: str, order: Sequence[str], metric: Metric) -> str:
    """Draw a metric with its interval against one cost, on a logarithmic axis; costs are `params`, `train_s` or ms."""
    dots = []
    for row in summary:
        cost, cell = number_of(row.get(key)), cell_of(row, metric.key)
        if cost is not None and cost > 0 and cell is not None:
            dots.append((str(row["fusion"]), cost, cell))
    if not dots:
        return figure(title, f'<p class="empty">No fusion recorded “{escape(title)}”.</p>')
    costs = [cost for _, cost, _ in dots]
    ticks = nice_ticks(min(low for _, _, (_, low, _) in dots), max(high for _, _, (_, _, high) in dots), wanted=5)
    frame = Frame(min(costs) / 1.3, max(costs) * 1.3, ticks[0], ticks[-1], log_x=True)
    show = {"params": thousands, "train_s": seconds}.get(key, _short_ms)
    x_ticks = time_ticks(frame.x0, frame.x1) if key == "train_s" else log_ticks(frame.x0, frame.x1)
    drawn = [draw_axes(frame, ticks, x_ticks, title, metric.unit, show=_short_time if key == "train_s" else show)]
    ends, names = [], []
    for name, cost, (mean, low, high) in sorted(dots, key=lambda dot: dot[2][0]):
        x, y = frame.x(cost), frame.y(mean)
        shown = [value_of(metric, value) for value in (mean, low, high)]
        unit = f" {metric.unit}" if metric.unit else ""
        hint = f"{name}: {shown[0]}{unit} ({shown[1]} to {shown[2]}) at {show(cost)}"
        ends.append(
            f'<g class="point s{colour_of(name, order)}"><title>{escape(hint)}</title>'
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{frame.y(low):.1f}" y2="{frame.y(high):.1f}"/>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5.5"/></g>'
        )
        names.append((name, x + 9, y))
    return figure(title, svg([*drawn, *ends, free_labels(names, order, beside=9)], f"{metric.label} against {title}"))


def _short_ms(time: object) -> str:
    number = number_of(time) or 0.0
    return f"{number:,.0f} ms" if number >= 100 else f"{number:.3g} ms"


def _short_time(time: float) -> str:
    if time < 120 and time % 60:
        return f"{time:.3g} s"
    return f"{time / 60:.3g} min" if time < 7200 and time % 3600 else f"{time / 3600:.3g} h"
