"""What every chart is made of: where data lie, axes, labels that do not overlap, and the figure around it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plait.report.text import colour_of, escape

__all__ = ["Frame", "draw_axes", "end_labels", "figure", "free_labels", "svg"]

_WIDTH, _HEIGHT = 372, 236
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 84, 14, 34
# Height of a line of labels, and their longest text.
_LINE, _LONGEST_NAME = 11.5, 14


@dataclass(frozen=True)
class Frame:
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


def draw_axes(
    frame: Frame,
    y_ticks: Sequence[float],
    x_ticks: Sequence[float],
    x_name: str,
    unit: str,
    *,
    show: Any = "{:g}".format,
) -> str:
    """Draw grid, axes and tick labels; `unit` follows the highest tick, `show` turns an x tick into its label."""
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


def end_labels(ends: Mapping[str, float], order: Sequence[str]) -> str:
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


def free_labels(labels: Sequence[tuple[str, float, float]], order: Sequence[str], *, beside: float = 0.0) -> str:
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


def svg(parts: Sequence[str], label: str) -> str:
    """Join drawn parts to one drawing; `label` is what a screen reader says."""
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg>"
    )


def figure(title: str, body: str) -> str:
    """Put a drawing, or a sentence in its place, under a title."""
    return f'<figure class="panel"><figcaption>{escape(title)}</figcaption>{body}</figure>'
