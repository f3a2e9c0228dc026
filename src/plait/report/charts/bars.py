"""An estimate with its interval, as a bar."""

from __future__ import annotations

from plait.report.charts.ticks import nice_ticks
from plait.report.text import escape

__all__ = ["interval_bar"]

_BAR_WIDTH = 128
_BAR_HEIGHT = 26


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
