"""What a task hands to the report: its figures, where they are shown, its words, and the sections that only it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from plait.core.metric import Metric
from plait.report.text import cell_of, fusion_label, name_text, value_of

__all__ = ["Badge", "Layout", "Page", "ReportData", "View", "Words", "best_figures"]

Row = Mapping[str, Any]


@dataclass(frozen=True)
class View:
    """A set of columns of the leaderboard, shown by a button.

    Fields:
        name:  letters and digits; a class of the columns
        label: on the button
        keys:  of the metrics
    """

    name: str
    label: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """Where a task's metrics are shown, by their keys. Metrics that no fusion has are left out.

    Fields:
        bars:  drawn as interval bars in the overview
        main:  further columns of the overview
        views: further sets of columns
        runs:  columns of the list of runs
    """

    bars: tuple[str, ...]
    main: tuple[str, ...] = ()
    views: tuple[View, ...] = ()
    runs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Words:
    """Sentences of the page that depend on the task.

    Fields:
        items:    what one thing asked about is called: "captions", "masks"
        floor:    what scores as high as the dashed tick: "chance", "a constant answer"
        audit:    below the audit section
        curves:   how the metrics of the training curves are measured
        meanings: (term, meaning) beside those of the metrics
    """

    items: str
    floor: str = "chance"
    audit: str = ""
    curves: str = ""
    meanings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Badge:
    """A small label beside a fusion's name; `hint` is shown when it is pointed at."""

    text: str
    hint: str = ""


@dataclass(frozen=True)
class ReportData:
    """results.json and gallery.json as the page shows them.

    Fields:
        rows:    one mapping per run
        summary: one mapping per fusion, best first, leaky ones last
        tests:   one mapping per paired test
        power:   how small a difference could be found, one mapping per metric
        data:    what the data set holds
        order:   the fusions' names in the order of `summary`
        leaky:   names of those whose score has read the answer
        metrics: key -> metric, in the task's order
        floors:  key -> what reads nothing scores
        gallery: gallery.json without its photos
        photos:  photo -> data URL; nothing but pictures in the file itself
    """

    rows: tuple[Row, ...]
    summary: tuple[Row, ...]
    tests: tuple[Row, ...]
    power: tuple[Row, ...]
    data: Row
    order: tuple[str, ...]
    leaky: frozenset[str]
    metrics: Mapping[str, Metric]
    floors: Mapping[str, float]
    gallery: Row
    photos: Mapping[str, str]

    @property
    def drawn(self) -> tuple[Row, ...]:
        """Give the rows of the summary that charts show: the leaky ones only where there are no others."""
        return tuple(row for row in self.summary if row["fusion"] not in self.leaky) or self.summary

    @property
    def drawn_rows(self) -> tuple[Row, ...]:
        """Give the runs of the fusions that charts show."""
        names = {row["fusion"] for row in self.drawn}
        return tuple(row for row in self.rows if row["fusion"] in names)

    def measured(self, keys: Sequence[str]) -> list[Metric]:
        """Give the metrics of those keys that some fusion has."""
        return [self.metrics[key] for key in keys if any(cell_of(row, key) for row in self.summary)]

    def label(self, name: str) -> str:
        """Draw a fusion's name with the dot of its colour."""
        return fusion_label(name, self.order)

    def headline(self) -> Metric:
        """Give the metric that ranks: the first headline one that some fusion has."""
        found = self.measured([key for key, metric in self.metrics.items() if metric.headline])
        return found[0] if found else next(iter(self.metrics.values()))


def best_figures(data: ReportData, layout: Layout) -> list[tuple[str, str]]:
    """Give (value, label) as HTML for the best fusion by each metric that is drawn as a bar."""
    figures = []
    for metric in data.measured(layout.bars):
        sign = 1.0 if metric.higher_is_better else -1.0
        ranked = [row for row in data.summary if row["fusion"] not in data.leaky and cell_of(row, metric.key)]
        if ranked:
            best = max(ranked, key=lambda row: sign * row[metric.key]["mean"])
            value = f"{value_of(metric, best[metric.key]['mean'])}<small>{metric.unit}</small>"
            figures.append((value, f"best {metric.label}<br>{name_text(best['fusion'])}"))
    return figures


def _no_floors(summary: Sequence[Row], data: Row) -> Mapping[str, float]:
    return {}


def _no_badges(row: Row, runs: Sequence[Row]) -> Sequence[Badge]:
    return ()


@dataclass(frozen=True)
class Page:
    """A task's part of the report. What a callable returns is HTML; texts of the data in it must be escaped.

    Fields:
        metrics: the task's figures; their names, units, meanings and bounds are taken from them
        layout:  where they are shown
        words:   sentences that differ by task
        floors:  (summary, data) -> what a model that reads nothing scores, by metric key
        figures: (report data, layout) -> the large figures at the top, as (value, label)
        badges:  (row of the summary, its runs) -> labels beside a fusion's name
        audit:   the section on what the models learned; None = the page has none
        curves:  charts beside the training curves
        gallery: the section of examples
    """

    metrics: tuple[Metric, ...]
    layout: Layout
    words: Words
    floors: Callable[[Sequence[Row], Row], Mapping[str, float]] = field(default=_no_floors)
    figures: Callable[[ReportData, Layout], Sequence[tuple[str, str]]] = field(default=best_figures)
    badges: Callable[[Row, Sequence[Row]], Sequence[Badge]] = field(default=_no_badges)
    audit: Callable[[ReportData], str] | None = None
    curves: Callable[[ReportData], str] | None = None
    gallery: Callable[[ReportData], str] | None = None
