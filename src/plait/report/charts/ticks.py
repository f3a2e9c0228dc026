"""Round numbers for the axes of charts."""

from __future__ import annotations

import math

__all__ = ["log_ticks", "nice_ticks", "time_ticks"]

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


def time_ticks(low: float, high: float) -> list[float]:
    """Give round seconds, minutes and hours within the range: at least two, at most five."""
    round_times = (0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18_000, 36_000, 86_400)
    found = [time for time in round_times if low <= time <= high]
    if len(found) >= 2:
        return found[:: max(1, math.ceil(len(found) / 4))]
    unit = 1.0 if high < 120 else 60.0 if high < 7200 else 3600.0
    return [unit * tick for tick in log_ticks(low / unit, high / unit)]
