"""The report's paired tests: one matrix per metric, row minus column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plait.core.metric import FEW_IMAGES, Metric
from plait.report.layout import ReportData
from plait.report.text import MISSING, escape, name_text, number_of, value_of
from plait.report.words import power_sentence

__all__ = ["is_small", "tests_matrix"]

# The difference, its interval, and the test it comes from.
_Found = tuple[float, float, float, Mapping[str, Any]]


def tests_matrix(data: ReportData) -> str:
    """Draw one matrix per metric, its cells filled where the corrected test tells the two apart, with its power."""
    keys = {str(test["metric"]) for test in data.tests}
    return "".join(_matrix(data, metric) for key, metric in data.metrics.items() if key in keys)


def is_small(row: Mapping[str, Any]) -> bool:
    """Tell whether a metric was tested on so few images that the section warns of all its tests at once."""
    photos = number_of(row.get("photos"))
    return photos is not None and photos < FEW_IMAGES


def _matrix(data: ReportData, metric: Metric) -> str:
    found: dict[tuple[str, str], _Found] = {}
    for test in data.tests:
        if test["metric"] == metric.key:
            difference, low, high = (number_of(test.get(key)) or 0.0 for key in ("difference", "low", "high"))
            found[str(test["a"]), str(test["b"])] = (difference, low, high, test)
            found[str(test["b"]), str(test["a"])] = (-difference, -high, -low, test)
    names = [name for name in data.order if any(name in pair for pair in found)]
    head = "".join(f'<th scope="col"><span>{name_text(name)}</span></th>' for name in names)
    body = []
    for a in names:
        cells = [_cell(a, b, found.get((a, b)), metric) for b in names]
        body.append(f'<tr><th scope="row">{data.label(a)}</th>{"".join(cells)}</tr>')
    label = escape(metric.column)
    power = "".join(
        f'<p class="quiet">{escape(power_sentence(row))}</p>'
        for row in data.power
        if row.get("metric") == metric.key and not is_small(row)
    )
    return (
        f'<figure class="panel"><figcaption>{label}</figcaption><div class="scroll" tabindex="0" role="region" '
        f'aria-label="Tests of {label}"><table class="matrix">'
        f'<caption class="hidden">Row minus column, {label}</caption>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>{power}</figure>"
    )


def _cell(a: str, b: str, found: _Found | None, metric: Metric) -> str:
    if a == b or found is None:
        return f'<td class="none">{"" if a == b else MISSING}</td>'
    difference, low, high, test = found
    p = number_of(test.get("p_holm", test.get("p")))
    sure = bool(test.get("distinguishable"))
    better = (difference > 0) == metric.higher_is_better
    kind = ("better" if better else "worse") if sure else "open"
    text = value_of(metric, difference, sign=True)
    chance = "" if p is None else f", p = {p:.3g} after Holm"
    hint = f"{a} minus {b}: {text} (95 % interval {value_of(metric, low)} to {value_of(metric, high)}{chance}); " + (
        "distinguishable" if sure else "not distinguishable"
    )
    standard = test.get("d_z")
    if isinstance(standard, Mapping):
        sign = 1.0 if a == test.get("a") else -1.0
        ends = sorted(sign * float(standard[end]) for end in ("low", "high"))
        hint += f"; d_z {sign * float(standard['value']):.2f} ({ends[0]:.2f} to {ends[1]:.2f})"
    return (
        f'<td class="{kind}" title="{escape(hint)}"><b>{text}</b>'
        f"<small>{'' if p is None else 'p ' + _short_p(p)}</small></td>"
    )


def _short_p(p: float) -> str:
    return "&lt; .001" if p < 0.001 else f"{p:.3f}"[1:] if p < 0.1 else f"{p:.2f}"[1:] if p < 1 else "1"
