"""Text and numbers of the report: escaped text, figures with units, inline data."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from plait.core.metric import Metric

__all__ = [
    "MISSING",
    "PICTURE",
    "badge",
    "cell_of",
    "colour_of",
    "count",
    "empty",
    "escape",
    "figure",
    "floor_number",
    "floor_text",
    "fusion_label",
    "inline_json",
    "name_text",
    "number_of",
    "seconds",
    "thousands",
    "value_of",
]

COLOURS = 10
LONG_NAME = 14

MISSING = '<span class="missing" title="not measured">–</span>'
# Pictures must lie in the file itself; an address of any other kind would be a request to somewhere.
PICTURE = re.compile(r"data:image/(jpeg|png|webp);base64,[A-Za-z0-9+/=\s]+")


def escape(value: object) -> str:
    """Make any value safe as HTML text or as a quoted attribute: anyone may have written the captions shown."""
    return html.escape(str(value), quote=True)


def number_of(value: object) -> float | None:
    """Give a finite float, or None for what is missing, not a number or infinite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def cell_of(row: Mapping[str, Any], metric: str) -> tuple[float, float, float] | None:
    """Give (mean, low, high) of a summary row's metric, or None without a mean; ends that are missing equal it."""
    cell = row.get(metric)
    if not isinstance(cell, Mapping):
        return None
    mean = number_of(cell.get("mean"))
    if mean is None:
        return None
    low, high = number_of(cell.get("low")), number_of(cell.get("high"))
    return mean, mean if low is None else low, mean if high is None else high


def value_of(metric: Metric, value: object, *, sign: bool = False) -> str:
    """Give a metric's value without its unit: one decimal for percent, three digits for all else.

    Example:
        >>> value_of(Metric(key="rank", label="rank", column="Rank", unit=""), 29.0)
        '29'
    """
    number = number_of(value)
    if number is None:
        return MISSING
    plus = "+" if sign else ""
    if metric.unit == "%":
        text = f"{number:{plus}.1f}" if round(number, 1) else "0.0"
    else:
        text = f"{number:{plus},.0f}" if abs(number) >= 1000 else f"{number:{plus}.3g}" if number else "0"
    return text.replace("-", "−")


def floor_text(metric: Metric, value: float) -> str:
    """Give what reads nothing scores, with its unit; a small share keeps two digits: "0.62 %"."""
    return f"{floor_number(metric, value)} {metric.unit}".rstrip()


def floor_number(metric: Metric, value: float) -> str:
    """Give what reads nothing scores, without its unit."""
    return f"{value:.2g}" if metric.unit == "%" and value < 1 else value_of(metric, value)


def figure(value: object, digits: int = 1, *, unit: str = "") -> str:
    """Give a number with fixed digits and a true minus sign, or the mark for missing ones."""
    number = number_of(value)
    if number is None:
        return MISSING
    text = f"{number:,.{digits}f}".replace("-", "−").replace(",", "\u202f")
    return f"{text} {unit}" if unit else text


def thousands(value: object) -> str:
    """Give a count in short form: 950, 12.3 k, 4.56 M, 1.20 G."""
    number = number_of(value)
    if number is None:
        return MISSING
    for limit, unit, digits in ((1e9, "G", 2), (1e6, "M", 2), (1e4, "k", 0), (1e3, "k", 1)):
        if abs(number) >= limit:
            return f"{number / (1e3 if unit == 'k' else limit):.{digits}f} {unit}"
    return f"{number:.0f}"


def seconds(value: object) -> str:
    """Give a duration: 0.8 s, 42 s, 3 min 20 s, 2 h 05 min."""
    number = number_of(value)
    if number is None:
        return MISSING
    if number < 9.95:
        return f"{number:.1f} s"
    whole = round(number)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def count(number: int, word: str) -> str:
    """Give `1 photo`, `2 photos`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}".replace(",", "\u202f")


def empty(text: str) -> str:
    """Draw a quiet box where there is nothing to show."""
    return f'<p class="empty">{escape(text)}</p>'


def badge(text: str, kind: str = "plain", *, title: str = "") -> str:
    """Give a small label; `kind` is a class of page.css: plain, good, warn or bad."""
    hint = f' title="{escape(title)}"' if title else ""
    return f'<span class="badge {escape(kind)}"{hint}>{escape(text)}</span>'


def name_text(name: object) -> str:
    """Give a fusion's name as HTML; a long one may break after "_", "/" and "-", a short one nowhere."""
    text = escape(name)
    return text if len(str(name)) <= LONG_NAME else re.sub(r"([_/-])(?=.)", r"\1<wbr>", text)


def colour_of(name: str, order: Sequence[str]) -> int:
    """Give the number of a fusion's colour (`.s0` to `.s9` of page.css); order: all names, the best first."""
    return list(order).index(name) % COLOURS


def fusion_label(name: str, order: Sequence[str]) -> str:
    """Draw a fusion's name with the dot of its colour."""
    return f'<span class="fusion s{colour_of(name, order)}"><i></i><span>{name_text(name)}</span></span>'


def inline_json(value: object) -> str:
    """Give JSON that cannot end the script element that contains it; numbers that are not finite become null."""
    text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in ("<", ">", "&", "\u2028", "\u2029"):
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
