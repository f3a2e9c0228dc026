"""The report's pictures, drawn by hand as inline SVG: interval bars, training curves, cost against quality."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plait.core.metric import Metric
from plait.report.text import cell_of, colour_of, escape, number_of, seconds, thousands, value_of

__all__ = ["curves", "interval_bar", "log_ticks", "nice_ticks", "plain_lines", "scatter"]

_BAR_WIDTH = 128
_BAR_HEIGHT = 26
_WIDTH, _HEIGHT = 372, 236
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 84, 14, 34
# Height of a line of labels, and their longest text.
_LINE, _LONGEST_NAME = 11.5, 14
# Of powers of ten; the finer ones serve narrow ranges.
_FACTORS = ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8), tuple(n / 10 for n in range(10, 100)))


def nice_ticks(low: float, high: float, *, wanted: int = 5) -> list[float]:
    """Give round numbers that span low to high, about `wanted` of them.

    Example:
        >>> nice_ticks(0, 23)
        [0.0, 5.0, 10.0, 15.0, 20.0, 25.0]
    """
    span = high - low
    if span <= 0:
        span = abs(high) or 1.0
    raw = span / max(wanted - 1, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.85)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(n * step, 10) for n in range(first, max(last, first + 1) + 1)]


def interval_bar(
    cell: tuple[float, float, float], *, ends: tuple[float, float], floor: float | None, colour: int, label: str
) -> str:
    """Draw one fusion's estimate and interval on a scale between two ends, with a tick at `floor`."""
    bottom, top = ends

    def at(value: float) -> float:
        return (min(max(value, bottom), top) - bottom) / (top - bottom) * _BAR_WIDTH

    mean, low, high = map(at, cell)
    middle = _BAR_HEIGHT / 2
    grid = "".join(
        f'<line class="grid" x1="{at(tick):.1f}" x2="{at(tick):.1f}" y1="3" y2="{_BAR_HEIGHT - 3}"/>'
        for tick in nice_ticks(bottom, top, wanted=4)
        if bottom <= tick <= top
    )
    mark = ""
    if floor is not None and bottom <= floor <= top:
        mark = f'<line class="floor" x1="{at(floor):.1f}" x2="{at(floor):.1f}" y1="2" y2="{_BAR_HEIGHT - 2}"/>'
    return (
        f'<svg class="bar s{colour}" viewBox="-4 0 {_BAR_WIDTH + 8} {_BAR_HEIGHT}" width="{_BAR_WIDTH + 8}" '
        f'height="{_BAR_HEIGHT}" role="img" aria-label="{escape(label)}"><title>{escape(label)}</title>{grid}{mark}'
        f'<rect class="band" x="{low:.1f}" y="{middle - 5}" width="{max(high - low, 1.5):.1f}" height="10" rx="3"/>'
        f'<line class="stem" x1="0" x2="{mean:.1f}" y1="{middle}" y2="{middle}"/>'
        f'<circle class="dot" cx="{mean:.1f}" cy="{middle}" r="4.5"/></svg>'
    )


@dataclass(frozen=True)
class _Frame:
    """Where data lie in a plot; x may be logarithmic."""

    x0: float
    x1: float
    y0: float
    y1: float
    log_x: bool = False

    def x(self, value: float) -> float:
        low, high, at = self.x0, self.x1, value
        if self.log_x:
            low, high, at = math.log(low), math.log(high), math.log(value)
        return _LEFT + (at - low) / ((high - low) or 1.0) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - (value - self.y0) / ((self.y1 - self.y0) or 1.0) * (_HEIGHT - _TOP - _BOTTOM)


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
        return _figure(title, f'<p class="empty">No run recorded “{escape(title)}”.</p>')
    xs = [x for _, _, points in lines for x, _ in points]
    ys = [y for _, _, points in lines for _, y in points]
    ticks = nice_ticks(min(0.0, *ys), max(ys), wanted=5)
    frame = _Frame(min(xs), max(max(xs), min(xs) + 1), ticks[0], ticks[-1])
    drawn = [_axes(frame, ticks, [x for x in nice_ticks(min(xs), max(xs), wanted=5) if x == int(x)], "epoch", unit)]
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
    drawn.append(_end_labels(ends, order))
    last_of = ", ".join(f"{name}" for name in ends)
    return _figure(title, _svg(drawn, f"{title} by epoch for {last_of}"))


def scatter(summary: Sequence[Mapping[str, Any]], key: str, *, title: str, order: Sequence[str], metric: Metric) -> str:
    """Draw a metric with its interval against one cost, on a logarithmic axis; costs are `params`, `train_s` or ms."""
    dots = []
    for row in summary:
        cost, cell = number_of(row.get(key)), cell_of(row, metric.key)
        if cost is not None and cost > 0 and cell is not None:
            dots.append((str(row["fusion"]), cost, cell))
    if not dots:
        return _figure(title, f'<p class="empty">No fusion recorded “{escape(title)}”.</p>')
    costs = [cost for _, cost, _ in dots]
    ticks = nice_ticks(min(low for _, _, (_, low, _) in dots), max(high for _, _, (_, _, high) in dots), wanted=5)
    frame = _Frame(min(costs) / 1.3, max(costs) * 1.3, ticks[0], ticks[-1], log_x=True)
    show = {"params": thousands, "train_s": seconds}.get(key, _short_ms)
    x_ticks = _time_ticks(frame.x0, frame.x1) if key == "train_s" else log_ticks(frame.x0, frame.x1)
    drawn = [_axes(frame, ticks, x_ticks, title, metric.unit, _short_time if key == "train_s" else show)]
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
    return _figure(
        title, _svg([*drawn, *ends, _free_labels(names, order, beside=9)], f"{metric.label} against {title}")
    )


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
        return _figure(title, f'<p class="empty">No run recorded “{escape(title)}”.</p>')
    top = 100.0 if diagonal else nice_ticks(0, max(y for points in lines.values() for _, y in points), wanted=5)[-1]
    frame = _Frame(0.0, 1.0, 0.0, top)
    ticks = [tick for tick in nice_ticks(0, top, wanted=5) if tick <= top]
    drawn = [_axes(frame, ticks, [0.0, 0.25, 0.5, 0.75, 1.0], x_name, "%")]
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
    drawn.append(_end_labels({name: frame.y(points[-1][1]) for name, points in lines.items()}, order))
    return _figure(title, _svg(drawn, f"{title} for {', '.join(lines)}"))


def _axes(
    frame: _Frame,
    y_ticks: Sequence[float],
    x_ticks: Sequence[float],
    x_name: str,
    unit: str,
    show: Any = "{:g}".format,
) -> str:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = []
    for tick in y_ticks:
        y = frame.y(tick)
        named = f" {escape(unit)}" if unit and tick == y_ticks[-1] else ""
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 7}" y="{y + 3.5:.1f}" text-anchor="end">{tick:g}{named}</text>')
    for tick in x_ticks:
        x = frame.x(tick)
        if _LEFT - 1 <= x <= right + 1:
            parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}"/>')
            parts.append(
                f'<text class="tick" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{escape(show(tick))}</text>'
            )
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    parts.append(
        f'<text class="tick name" x="{(_LEFT + right) / 2}" y="{_HEIGHT - 2}" text-anchor="middle">'
        f"{escape(x_name)}</text>"
    )
    return "".join(parts)


def log_ticks(low: float, high: float) -> list[float]:
    """Give round numbers within a range of a logarithmic axis: at least two, at most five.

    Example:
        >>> log_ticks(8, 300)
        [10.0, 50.0, 200.0]
    """
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    found: list[float] = []
    for factors in _FACTORS:
        found = [round(f * 10.0**p, 12) for p in powers for f in factors if low <= f * 10.0**p <= high]
        if len(found) >= 2:
            return found[:: max(1, math.ceil(len(found) / 4))]
    return [low, high]


def _time_ticks(low: float, high: float) -> list[float]:
    """Give round seconds, minutes and hours within the range: at least two, at most five."""
    round_times = (0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18_000, 36_000, 86_400)
    found = [time for time in round_times if low <= time <= high]
    if len(found) >= 2:
        return found[:: max(1, math.ceil(len(found) / 4))]
    unit = 1.0 if high < 120 else 60.0 if high < 7200 else 3600.0
    return [unit * tick for tick in log_ticks(low / unit, high / unit)]


def _short_ms(time: object) -> str:
    number = number_of(time) or 0.0
    return f"{number:,.0f} ms" if number >= 100 else f"{number:.3g} ms"


def _short_time(time: float) -> str:
    if time < 120 and time % 60:
        return f"{time:.3g} s"
    return f"{time / 60:.3g} min" if time < 7200 and time % 3600 else f"{time / 3600:.3g} h"


def _end_labels(ends: Mapping[str, float], order: Sequence[str]) -> str:
    """Place names at the ends of their lines, moved apart within the height of the plot."""
    placed = sorted(ends.items(), key=lambda end: end[1])
    heights: list[float] = []
    for _, y in placed:
        heights.append(max(y, heights[-1] + _LINE) if heights else y)
    below = float(_HEIGHT - _BOTTOM)
    for number in reversed(range(len(heights))):
        heights[number] = min(heights[number], below)
        below = heights[number] - _LINE
    x = _WIDTH - _RIGHT + 8.0
    return "".join(_label(name, x, y, order) for (name, _), y in zip(placed, heights, strict=True))


def _free_labels(labels: Sequence[tuple[str, float, float]], order: Sequence[str], *, beside: float = 0.0) -> str:
    """Place names beside their marks, moved down where they would cover another name or, `beside` px off, a mark."""
    placed = [(y, round(x - beside) - 6, round(x - beside) + 6) for _, x, y in labels] if beside else []
    parts = []
    for name, x, y in sorted(labels, key=lambda label: label[2]):
        width = 6 * min(len(name), _LONGEST_NAME)
        while any(abs(y - other) < _LINE and x < right and left < x + width for other, left, right in placed):
            y += 1
        placed.append((y, round(x), round(x) + width))
        parts.append(_label(name, x, y, order))
    return "".join(parts)


def _label(name: str, x: float, y: float, order: Sequence[str]) -> str:
    short = name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
    return f'<text class="label s{colour_of(name, order)}" x="{x:.1f}" y="{y + 3.5:.1f}">{escape(short)}</text>'


def _svg(parts: Sequence[str], label: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg>"
    )


def _figure(title: str, body: str) -> str:
    return f'<figure class="panel"><figcaption>{escape(title)}</figcaption>{body}</figure>'
