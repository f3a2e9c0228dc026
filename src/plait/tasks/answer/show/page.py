"""Answers in the report: where their figures are shown, what needs no model, what models read, question types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plait.report.layout import Layout, Page, ReportData, View, Words
from plait.report.text import MISSING, cell_of, empty, escape, figure, value_of
from plait.tasks.answer.metrics import ABLATED, BASELINES, FACTS_REMOVED, METRIC_OF, METRICS, accuracy_key
from plait.tasks.answer.show.gallery_section import gallery_section

__all__ = ["PAGE"]

_READS = ("accuracy", *(accuracy_key(kind) for kind in (*ABLATED, FACTS_REMOVED)))
_BASELINES = tuple(accuracy_key(kind) for kind in BASELINES)
_TYPE_KEYS = ("accuracy", accuracy_key("image removed"), accuracy_key("per type"))


def _floors(summary: Sequence[Mapping[str, Any]], data: Mapping[str, Any]) -> Mapping[str, float]:
    """Give the accuracy of the best answers that need no model, in percent."""
    cells = [cell_of(row, key) for row in summary for key in _BASELINES]
    best = max((cell[0] for cell in cells if cell is not None), default=None)
    return {} if best is None else {"accuracy": best}


def _audit(data: ReportData) -> str:
    """Draw what each fusion scores with one side removed or exchanged, then its accuracy by question type."""
    if not data.measured(_READS[1:]):
        return empty("No run has been measured without its image.")
    keys = [metric.key for metric in data.measured((*_READS, *_BASELINES))]
    heads = ["Fusion", "As trained", *(METRIC_OF[key].short.capitalize() for key in keys if key != "accuracy")]
    rows = []
    for row in data.summary:
        cells = [cell_of(row, key) for key in keys]
        shown = [MISSING if c is None else value_of(METRIC_OF[k], c[0]) for k, c in zip(keys, cells, strict=True)]
        rows.append([data.label(str(row["fusion"])), *shown])
    return _table("What the models read", heads, rows) + _types(data)


def _types(data: ReportData) -> str:
    """Draw the accuracy of each fusion's first seed by the first two words of the question."""
    first: dict[str, Mapping[str, Any]] = {}
    for row in data.drawn_rows:
        if isinstance(row.get("answer"), Mapping) and row.get("fusion") in data.order:
            first.setdefault(str(row["fusion"]), row["answer"])
    parts = []
    heads = ["Question begins with", "Questions", *(METRIC_OF[key].column for key in _TYPE_KEYS)]
    for name in data.order:
        details = first.get(name) or {}
        rows = [
            [escape(item.get("type", "")), figure(item.get("questions"), 0), *(figure(item.get(k)) for k in _TYPE_KEYS)]
            for item in details.get("types") or ()
            if isinstance(item, Mapping)
        ]
        if rows:
            table = _table(f"{name} by question type", heads, rows)
            parts.append(f"<details><summary>{escape(name)}: by question type, first seed</summary>{table}</details>")
    return "".join(parts)


def _table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Draw a table whose first column names its rows; cells are HTML, heads are text."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>' for first, *rest in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table class="table">'
        f'<caption class="hidden">{escape(caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


PAGE = Page(
    metrics=METRICS,
    layout=Layout(
        bars=("accuracy", "exact"),
        main=(accuracy_key("image removed"), accuracy_key("image shuffled"), "coverage"),
        views=(
            View("right", "Right answers", ("accuracy", "exact", "top5", "wups_90", "wups_00", "coverage")),
            View("reads", "What it reads", (*_READS, *_BASELINES)),
        ),
        runs=("accuracy", "exact"),
    ),
    words=Words(
        items="questions",
        floor="the most common answer per question type",
        audit=(
            "Accuracy in percent. A model that reads the image falls when the image is removed or comes from another "
            "question; what is left is what the question alone gives away. The last columns need no model: a model "
            "that is not better has learned nothing. Question types are the first two words."
        ),
        curves="Accuracy is measured on part of the validation split.",
        meanings=(
            (
                "List of answers",
                "Made of the training questions alone. A question whose right answers are all outside it counts as "
                "answered wrongly.",
            ),
        ),
    ),
    floors=_floors,
    audit=_audit,
    gallery=gallery_section,
)
