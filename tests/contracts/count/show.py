"""How counting looks: the report's part, the terminal's table, the model card."""

from __future__ import annotations

from plait.report.layout import Layout, Page, ReportData, Words
from plait.report.terminal import board, figure_lines
from plait.report.text import escape
from plait.task import Card, Terminal
from tests.contracts.count.metrics import METRICS


def _gallery(data: ReportData) -> str:
    items = "".join(
        f"<li>{escape(item['fusion'])}: {escape(item['photo'])}: {item['said']}, truly {item['true']}</li>"
        for item in data.gallery.get("counted", ())
    )
    return f"<ul>{items}</ul>"


PAGE = Page(
    metrics=METRICS,
    layout=Layout(
        bars=("accuracy",),
        main=("accuracy_most_common", "accuracy_image_removed"),
        runs=("accuracy",),
    ),
    words=Words(items="questions", floor="the most common number"),
    floors=lambda summary, data: (
        {"accuracy": summary[0]["accuracy_most_common"]["mean"]} if summary and "accuracy" in summary[0] else {}
    ),
    gallery=_gallery,
)
TERMINAL = Terminal(
    items="questions",
    run=figure_lines(METRICS, ("accuracy", "accuracy_most_common")),
    board=board(METRICS, items="questions", intervals=("accuracy",), means=("accuracy_image_removed",)),
)
CARD = Card(
    does="It counts things in a scene.",
    scores=lambda record: "The most probable number is given.",
    limits="rare there is miscounted.",
    metrics=("accuracy",),
)
