"""Masks in the report: where their figures are shown, what constant masks score, what models read, and curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plait.report.charts.curves import plain_lines
from plait.report.layout import Layout, Page, ReportData, View, Words
from plait.report.text import MISSING, cell_of, empty, escape, value_of
from plait.tasks.mask.metrics import ABLATED, ABSENT, CONSTANT, METRIC_OF, METRICS, miou_key
from plait.tasks.mask.show.gallery_section import gallery_section

__all__ = ["PAGE"]

_READS = ("miou", *(miou_key(kind) for kind in ABLATED))
_CONSTANT = tuple(miou_key(kind) for kind in reversed(CONSTANT))


def _floors(summary: Sequence[Mapping[str, Any]], data: Mapping[str, Any]) -> Mapping[str, float]:
    """Give the mIoU of the best mask that reads nothing, in percent."""
    cells = [cell_of(row, key) for row in summary for key in _CONSTANT]
    best = max((cell[0] for cell in cells if cell is not None), default=None)
    return {} if best is None else {"miou": best}


def _audit(data: ReportData) -> str:
    """Draw what each fusion scores with one side removed or exchanged, beside masks that read nothing."""
    if not data.measured(_READS[1:]):
        return empty("No run has been measured without its text.")
    keys = (*_READS, *_CONSTANT)
    heads = ["as trained", *(METRIC_OF[key].short for key in keys[1:])]
    head = "".join(f'<th scope="col">{escape(text.capitalize())}</th>' for text in heads)
    body = []
    for row in data.summary:
        cells = ""
        for key in keys:
            cell = cell_of(row, key)
            cells += f"<td>{MISSING if cell is None else value_of(METRIC_OF[key], cell[0])}</td>"
        body.append(f'<tr><th scope="row">{data.label(str(row["fusion"]))}</th>{cells}</tr>')
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="What the models read"><table class="table">'
        f'<caption class="hidden">{METRIC_OF["miou"].label} with one side removed or exchanged</caption>'
        f'<thead><tr><th scope="col">Fusion</th>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'
    )


def _curves(data: ReportData) -> str:
    """Draw the headline metric by threshold, and calibration, for each fusion's first seed."""
    first: dict[str, Mapping[str, Any]] = {}
    for row in data.drawn_rows:
        if isinstance(row.get("mask"), Mapping) and row.get("fusion") in data.order:
            first.setdefault(str(row["fusion"]), row["mask"])
    by_threshold = {
        name: [(float(point["threshold"]), float(point["miou"])) for point in details.get("by_threshold") or ()]
        for name, details in first.items()
    }
    calibrated = {
        name: [
            ((float(span["low"]) + float(span["high"])) / 2, 100 * float(span["share"]))
            for span in details.get("calibration") or ()
        ]
        for name, details in first.items()
    }
    return plain_lines(
        {name: points for name, points in by_threshold.items() if points},
        title=f"{METRIC_OF['miou'].column} by threshold",
        x_name="threshold",
        order=data.order,
    ) + plain_lines(
        {name: points for name, points in calibrated.items() if points},
        title="Share of foreground pixels by probability",
        x_name="probability (line: perfectly calibrated)",
        order=data.order,
        diagonal=True,
    )


PAGE = Page(
    metrics=METRICS,
    layout=Layout(
        bars=("miou", "oiou"),
        main=("p50", miou_key("text shuffled")),
        views=(
            View("overlap", "Overlap", ("miou", "oiou", "p50", "p70", "p90", "dice", "boundary_f")),
            View("reads", "What it reads", _READS),
            View("absent", "Absent phrases", ("miou", *ABSENT)),
        ),
        runs=("miou", "oiou"),
    ),
    words=Words(
        items="masks",
        floor="the best mask that reads neither text nor photo",
        audit=(
            f"{METRIC_OF['miou'].column} in percent. A model that reads the text falls when the text is removed or "
            "comes from another photo; what is left is what the photo alone gives away. The last columns are masks "
            "that read nothing: a model that is not better than they are has learned nothing."
        ),
        curves="Overlap is measured at its best threshold, on part of the validation split.",
        meanings=(
            (
                "Threshold",
                "A pixel counts as foreground from this probability on. It is chosen on captions that are not measured "
                "here; the list of runs says on which.",
            ),
            (
                "Absent phrases",
                "Each phrase of the split is also shown with another image of it that is known to lack its subject, "
                "drawn with a fixed seed. Known means: the phrase is one of the data's words, the image carries other "
                "words of the same list, and none that shares a word with it; or the scene's facts say so. Objects "
                "that were not annotated, and synonyms, can be called absent wrongly.",
            ),
            (
                "Presence",
                "The probability that the image shows what the phrase refers to, at even odds before looking. Below a "
                "threshold, chosen on captions that are not measured, the phrase is refused and nothing is marked.",
            ),
        ),
    ),
    floors=_floors,
    audit=_audit,
    curves=_curves,
    gallery=gallery_section,
)
