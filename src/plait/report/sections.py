"""The sections of the report, in the order of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plait.report.charts.attention import attention_section
from plait.report.charts.curves import curves
from plait.report.charts.leaderboard import leaderboard, view_buttons
from plait.report.charts.matrix import is_small, tests_matrix
from plait.report.charts.scatter import scatter
from plait.report.flags import legend
from plait.report.layout import Page, ReportData
from plait.report.tables import data_card, reproduce, runs_table
from plait.report.text import empty, escape, floor_text
from plait.report.words import few_images_sentence, times_note

__all__ = ["Section", "sections"]

# (name, label in the list of sections, HTML)
Section = tuple[str, str, str]

_COSTS = (("step_ms", "Time per step"), ("train_s", "Training time"), ("params", "Parameters"))
# A point of a curve is measured on images of this split, whatever split the results are from.
_CURVE_SPLIT = "val"
_STATISTICS = (
    (
        "Interval",
        "95 %, bootstrap over photos, with seeds as a random effect (Student's t). With one seed it does not cover "
        "training noise.",
    ),
    (
        "d_z",
        "Effect size: the difference in standard deviations of one photo's difference, with the interval of the "
        "difference on the same scale.",
    ),
    ("p", "Two-sided, paired over photos, corrected by Holm's method over all tests of this page."),
)


def sections(
    data: ReportData, maps: Sequence[Mapping[str, Any]], results: Mapping[str, Any], page: Page
) -> list[Section]:
    """Give every section of the page, those of the task included."""
    found = [_leaderboard(data, page), _tests(data)]
    if page.audit is not None:
        body = page.audit(data) + _note(page.words.audit)
        found.append(_section("audit", "Audit", "Audit: did the models learn, and from what?", body))
    found += [_cost(data), _curves(data, page)]
    gallery = page.gallery(data) if page.gallery is not None and data.gallery else ""
    found.append(
        _section("gallery", "Gallery", "Gallery", gallery or empty("No gallery was made for this comparison."))
    )
    found.append(_section("attention", "Attention", "Attention", attention_section(maps)))
    found.append(_section("data", "Data", "Data", data_card(data.data, items=page.words.items)))
    found.append(_section("reproduce", "Reproduce", "How to reproduce", _reproduce(data, results, page)))
    return found


def _section(name: str, label: str, heading: str, body: str, *, beside: str = "") -> Section:
    html = f'<section id="{name}-section">\n  <div class="head"><h2>{escape(heading)}</h2>{beside}</div>\n  {body}\n'
    return name, label, f"{html}</section>\n"


def _note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>' if text else ""


def _leaderboard(data: ReportData, page: Page) -> Section:
    views = (
        '<div class="switch" id="views" role="group" aria-label="Columns of the leaderboard">'
        f"{view_buttons(data, page)}</div>"
    )
    if not data.summary:
        return _section("leaderboard", "Leaderboard", "Leaderboard", empty("No run has finished yet."), beside=views)
    floors = ", ".join(
        f"{metric.column}: {floor_text(metric, data.floors[metric.key])}"
        for metric in data.measured(page.layout.bars)
        if metric.key in data.floors
    )
    shown = f" The dashed tick is {page.words.floor} ({floors})." if floors else ""
    note = _note(
        "Dots are means over seeds. Bands are 95 % intervals: photos are resampled with all their "
        f"{page.words.items}, and training noise is added where there are two seeds or more.{shown} Overlapping bands "
        "do not decide a comparison; the paired tests below do. Click the head of a column to sort."
    )
    return _section(
        "leaderboard", "Leaderboard", "Leaderboard", leaderboard(data, page) + note + legend(data.rows), beside=views
    )


def _tests(data: ReportData) -> Section:
    why = "There is one fusion, so there is nothing to test." if len(data.summary) < 2 else "No test is recorded."
    body = _note(
        "Row minus column, in the metric's own unit, on the same photos. A filled cell is a difference that holds "
        "after Holm's correction for all tests; a pale one is not distinguishable from none, whatever its sign. Point "
        "at a cell for its interval and effect size."
    )
    few = [int(row["photos"]) for row in data.power if is_small(row)]
    body += _note(few_images_sentence(min(few))) if few else ""
    matrices = tests_matrix(data)
    return _section(
        "tests",
        "Tests",
        "Paired tests",
        body + (f'<div class="panels two">{matrices}</div>' if matrices else empty(why)),
    )


def _cost(data: ReportData) -> Section:
    metric = data.headline()
    better = "Up" if metric.higher_is_better else "Down"
    note = (
        f"{metric.column} with its interval. {better} and to the left is better. Costs are on a logarithmic axis."
        f"{times_note(data.rows)}"
    )
    left_out = ""
    if len(data.drawn) < len(data.summary):
        names = ", ".join(sorted(data.leaky))
        left_out = _note(f"Not drawn, because leaky: {names}. Leaky figures say nothing about how well a fusion works.")
    charts = "".join(scatter(data.drawn, key, title=title, order=data.order, metric=metric) for key, title in _COSTS)
    return _section(
        "cost", "Cost", "Cost and quality", f'{_note(note)}{left_out}<div class="panels three">{charts}</div>'
    )


def _curves(data: ReportData, page: Page) -> Section:
    rows = data.drawn_rows
    if not any(row.get("curve") for row in rows):
        return _section("curves", "Curves", "Training curves", empty("No training curve is recorded."))
    shown = [
        (metric.key, f"{metric.column}, {_CURVE_SPLIT}", metric.unit) for metric in page.metrics if metric.on_curve
    ]
    drawn = [
        curves(rows, key, title=title, unit=unit, order=data.order)
        for key, title, unit in (*shown, ("loss", "Loss, train", ""))
    ]
    more = page.curves(data) if page.curves is not None else ""
    note = _note(
        f"One line per seed. {page.words.curves} Losses of different objectives have different scales: they do not "
        "compare."
    )
    return _section(
        "curves", "Curves", "Training curves", f'{note}<div class="panels three">{"".join(drawn)}{more}</div>'
    )


def _reproduce(data: ReportData, results: Mapping[str, Any], page: Page) -> str:
    runs = runs_table(data, page.layout) if data.rows else empty("No run is recorded.")
    known = {metric.key for metric in data.measured(list(data.metrics))}
    meanings = [(m.column, m.meaning) for m in page.metrics if m.meaning and (m.key in known or not data.summary)]
    terms = "".join(
        f"<dt>{escape(term)}</dt><dd>{escape(meaning)}</dd>"
        for term, meaning in (*meanings, *page.words.meanings, *_STATISTICS)
    )
    return (
        f"{reproduce(results)}<details><summary>Every run</summary>{runs}</details>"
        f'<details><summary>What the figures mean</summary><dl class="facts wide">{terms}</dl></details>'
    )
