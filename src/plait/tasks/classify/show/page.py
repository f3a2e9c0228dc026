"""Classes in the report: where their figures are shown, what reads no image, and which classes are confused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plait.report.layout import Layout, Page, ReportData, View, Words
from plait.report.text import MISSING, cell_of, empty, escape, figure, value_of
from plait.tasks.classify.metrics import METRIC_OF, METRICS
from plait.tasks.classify.show.gallery_section import gallery_section

__all__ = ["PAGE"]

_READS = ("accuracy", "accuracy_image_shuffled", "accuracy_image_removed", "accuracy_most_common")
# A table of more classes than this is no picture of anything: then the pairs most often confused are listed.
MOST_IN_TABLE = 20
PAIRS_LISTED = 12


def _floors(summary: Sequence[Mapping[str, Any]], data: Mapping[str, Any]) -> Mapping[str, float]:
    """Give the accuracy of the most common class, in percent."""
    cells = [cell_of(row, "accuracy_most_common") for row in summary]
    best = max((cell[0] for cell in cells if cell is not None), default=None)
    return {} if best is None else {"accuracy": best}


def _audit(data: ReportData) -> str:
    """Draw what each fusion scores without the right image, and which classes its first seed confuses."""
    if not data.measured(_READS[1:]):
        return empty("No run has been measured without its image.")
    head = "".join(f'<th scope="col">{escape(METRIC_OF[key].column)}</th>' for key in _READS)
    body = ""
    for row in data.summary:
        cells = ""
        for key in _READS:
            cell = cell_of(row, key)
            cells += f"<td>{MISSING if cell is None else value_of(METRIC_OF[key], cell[0])}</td>"
        body += f'<tr><th scope="row">{data.label(str(row["fusion"]))}</th>{cells}</tr>'
    table = (
        '<div class="scroll" tabindex="0" role="region" aria-label="What the models read"><table class="table">'
        f'<thead><tr><th scope="col">Fusion</th>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )
    return table + "".join(_confusions(data))


def _confusions(data: ReportData) -> list[str]:
    first: dict[str, Mapping[str, Any]] = {}
    for row in data.drawn_rows:
        if isinstance(row.get("classify"), Mapping) and row.get("fusion") in data.order:
            first.setdefault(str(row["fusion"]), row["classify"])
    return [
        f"<details><summary>{escape(name)}: which classes are confused</summary>{_confused(details)}</details>"
        for name, details in first.items()
    ]


def _confused(details: Mapping[str, Any]) -> str:
    classes = [str(name) for name in details.get("classes") or ()]
    counts = [[int(count) for count in row] for row in details.get("confusion") or ()]
    if not classes or len(counts) != len(classes):
        return empty("No table of confusions is recorded.")
    note = _notes(details)
    if len(classes) > MOST_IN_TABLE:
        pairs = sorted(
            (
                (counts[i][j], classes[i], classes[j])
                for i in range(len(classes))
                for j in range(len(classes))
                if i != j
            ),
            key=lambda one: -one[0],
        )
        items = "".join(
            f"<li>{escape(true)} taken for {escape(said)}: {count}</li>"
            for count, true, said in pairs[:PAIRS_LISTED]
            if count
        )
        return f"<ol>{items}</ol>{note}" if items else empty("No class was taken for another.")
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in classes)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{f'<b>{count}</b>' if i == j else count or ''}</td>" for j, count in enumerate(row))
        + f"<td>{figure(recall[i], unit='%')}</td></tr>"
        for recall in (list(details.get("recall") or [None] * len(classes)),)
        for i, (name, row) in enumerate(zip(classes, counts, strict=True))
    )
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Confusions"><table class="table">'
        f'<caption>Rows: the true class. Columns: what was said.</caption><thead><tr><th scope="col">True</th>{head}'
        f'<th scope="col">Right</th></tr></thead><tbody>{body}</tbody></table></div>{note}'
    )


def _notes(details: Mapping[str, Any]) -> str:
    said = [
        f"Most common in training: {details.get('most_common')}. Calibration error: "
        f"{figure(details.get('calibration_error'))} %."
    ]
    new = details.get("new_classes") or {}
    if new:
        listed = ", ".join(f"{name} ({count})" for name, count in new.items())
        said.append(f"Not in training, so always wrong: {listed}.")
    return f'<p class="note">{escape(" ".join(said))}</p>'


PAGE = Page(
    metrics=METRICS,
    layout=Layout(
        bars=("accuracy", "balanced_accuracy"),
        main=("accuracy_most_common", "accuracy_image_shuffled"),
        views=(
            View("accuracy", "Accuracy", ("accuracy", "balanced_accuracy", "accuracy_top3")),
            View("reads", "What it reads", _READS),
        ),
        runs=("accuracy", "balanced_accuracy"),
    ),
    words=Words(
        items="images",
        floor="the most common class",
        audit=(
            "In percent. A model that reads its image falls to the most common class or below when the image is "
            "removed or is another one. The text of such data is the class itself and never reaches the model."
        ),
        curves="Accuracy is measured on part of the validation split.",
    ),
    floors=_floors,
    audit=_audit,
    gallery=gallery_section,
)
