"""Lines: training curves, and curves from 0 to 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plait.report.charts.axes import Frame, draw_axes, end_labels, figure, svg
from plait.report.charts.ticks import nice_ticks
from plait.report.text import colour_of, escape, number_of

__all__ = ["curves", "plain_lines"]


def curves(rows: Sequence[Mapping[str, Any]], key: str, *, title: str, unit: str, order: Sequence[str]) -> str:
    """Draw one quantity of every run's curve against the epoch: one line per seed, the name at its end.

    Shapes: rows of results.json with "curve": [{"epoch", key, ...}]. Runs without that key are left out; a figure
        that says so is returned when none is left.
    """
    lines: list[tuple[str, object, list[tuple[float, float]]]] = []
    for row in rows:
        kept: list[tuple[float, float]] = []
        for point in row.get("curve") or ():
            at, value = number_of(point.get("epoch")), number_of(point.get(key))
            if at is not None and value is not None:
                kept.append((at, value))
        if kept and row.get("fusion") in order:
            lines.append((str(row["fusion"]), row.get("seed"), kept))
    if not lines:
        return figure(title, f'<p class="empty">No run recorded “{escape(title)}”.</p>')
    xs = [x for _, _, points in lines for x, _ in points]
    ys = [y for _, _, points in lines for _, y in points]
    ticks = nice_ticks(min(0.0, *ys), max(ys), wanted=5)
    frame = Frame(min(xs), max(max(xs), min(xs) + 1), ticks[0], ticks[-1])
    drawn = [draw_axes(frame, ticks, [x for x in nice_ticks(min(xs), max(xs), wanted=5) if x == int(x)], "epoch", unit)]
    ends: dict[str, float] = {}
    for name, seed, points in lines:
        path = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in points)
        last = points[-1]
        dots = "".join(f'<circle cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="2"/>' for x, y in points)
        hint = f"{name}, seed {seed}: {last[1]:.3g}{' %' if unit == '%' else ''} after epoch {last[0]:g}"
        drawn.append(
            f'<g class="run s{colour_of(name, order)}" data-fusion="{escape(name)}"><title>{escape(hint)}</title>'
            f'<polyline points="{path}"/>{dots}</g>'
        )
        ends[name] = ends.get(name, 0.0) + frame.y(last[1]) / sum(1 for other in lines if other[0] == name)
    drawn.append(end_labels(ends, order))
    last_of = ", ".join(f"{name}" for name in ends)
    return figure(title, svg(drawn, f"{title} by epoch for {last_of}"))


def plain_lines(
    lines: Mapping[str, Sequence[tuple[float, float]]],
    *,
    title: str,
    x_name: str,
    order: Sequence[str],
    diagonal: bool = False,
) -> str:
    """Draw one line per fusion over an axis from 0 to 1, in percent.

    Shapes: name -> (x in [0, 1], y in percent), in order of x. `diagonal` adds the line y = 100 x.
    """
    if not lines:
        return figure(title, f'<p class="empty">No run recorded “{escape(title)}”.</p>')
    top = 100.0 if diagonal else nice_ticks(0, max(y for points in lines.values() for _, y in points), wanted=5)[-1]
    frame = Frame(0.0, 1.0, 0.0, top)
    ticks = [tick for tick in nice_ticks(0, top, wanted=5) if tick <= top]
    drawn = [draw_axes(frame, ticks, [0.0, 0.25, 0.5, 0.75, 1.0], x_name, "%")]
    if diagonal:
        drawn.append(
            f'<line class="axis" x1="{frame.x(0):.1f}" y1="{frame.y(0):.1f}" x2="{frame.x(1):.1f}" '
            f'y2="{frame.y(100):.1f}"/>'
        )
    for name, points in lines.items():
        path = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in points)
        drawn.append(
            f'<g class="run s{colour_of(name, order)}" data-fusion="{escape(name)}"><title>{escape(name)}</title>'
            f'<polyline points="{path}"/></g>'
        )
    drawn.append(end_labels({name: frame.y(points[-1][1]) for name, points in lines.items()}, order))
    return figure(title, svg(drawn, f"{title} for {', '.join(lines)}"))
