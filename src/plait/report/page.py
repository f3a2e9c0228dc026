"""Write the report: one HTML file that needs nothing but itself. What depends on the task comes as a `Page`."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from plait.core.errors import InputError, StorageError
from plait.core.metric import metric_table
from plait.core.os_errors import os_sentence
from plait.report.charts.attention import attention_maps
from plait.report.charts.leaderboard import view_styles
from plait.report.gallery import safe_photos
from plait.report.layout import Page, ReportData
from plait.report.older import current_results
from plait.report.sections import sections
from plait.report.text import cell_of, count, escape, figure, floor_number, inline_json
from plait.report.words import verdict_of

__all__ = ["Page", "write_report"]


def write_report(
    results: Mapping[str, Any], gallery: Mapping[str, Any] | None, path: Path | str, *, page: Page
) -> Path:
    """Write the results of a comparison as one self-contained page and give its path.

    What is missing (no gallery, no curves, one fusion, one seed, runs that failed) is said on the page, not an error.
    All text of the data is escaped, pictures that are not data in the file are dropped, and a content policy in it
    forbids every request.

    Arguments:
        results: the content of results.json, of this version or an earlier one; needs "rows" or "summary"
        gallery: the content of gallery.json, or None. An entry of "attention" may hold "box": [x0, y0, x1, y1], the
            grid's edges as parts of the photo; the whole photo without it.
        path:    the file to write; folders on the way are made, an older file is replaced at once
        page:    the task's part (`Task.load_page`)
    Raises:
        InputError: `results` has neither rows nor a summary.
        StorageError: the file cannot be written.
    """
    if not isinstance(results, Mapping) or not ({"rows", "summary"} & results.keys()):
        raise InputError(
            "report: expected the results of `plait compare` with 'rows' or 'summary', got "
            f"{sorted(results) if isinstance(results, Mapping) else type(results).__name__}; pass its results.json"
        )
    text = _html(current_results(results), gallery or {}, page)
    path = Path(path)
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise StorageError(f"report {path}: cannot be written: {os_sentence(error, 'write')}") from None
    return path


def _html(results: Mapping[str, Any], gallery: Mapping[str, Any], page: Page) -> str:
    data = _data(results, gallery, page)
    maps = attention_maps(gallery)
    found = sections(data, maps, results, page)
    script, name = _resource("page.js"), str(data.data.get("name") or "unnamed data")
    return Template(_resource("page.html")).substitute(
        title=escape(f"{name}: ways of fusing compared"),
        name=escape(name),
        style=f"{_resource('page.css')}\n{view_styles(page)}",
        script=script,
        script_hash=_hash(script),
        lead=_lead(results),
        figures=_cards([*page.figures(data, page.layout), *_floor(data, page), *_amounts(data, page)]),
        nav="".join(f'<a href="#{key}-section">{escape(label)}</a>' for key, label, _ in found),
        sections="\n".join(body for _, _, body in found),
        page_json=inline_json({"photos": data.photos, "attention": maps, "order": data.order}),
        version=escape(results.get("plait", "")),
    )


def _data(results: Mapping[str, Any], gallery: Mapping[str, Any], page: Page) -> ReportData:
    rows = [row for row in results.get("rows") or () if row.get("fusion")]
    summary = _complete(list(results.get("summary") or ()), rows)
    leaky = frozenset(str(row["fusion"]) for row in (*summary, *rows) if "leaky" in (row.get("flags") or ()))
    data = results.get("data") or {}
    found = ReportData(
        rows=tuple(rows),
        summary=tuple(summary),
        tests=tuple(results.get("tests") or ()),
        power=tuple(results.get("power") or ()),
        data=data,
        order=(),
        leaky=leaky,
        metrics=metric_table(page.metrics),
        floors=page.floors(summary, data),
        gallery={key: value for key, value in gallery.items() if key != "photos"},
        photos=safe_photos(gallery),
    )
    headline = found.headline()

    def rank(row: Mapping[str, Any]) -> tuple[bool, bool, float]:
        cell = cell_of(row, headline.key)
        sign = -1.0 if headline.higher_is_better else 1.0
        return row["fusion"] in leaky, cell is None, 0.0 if cell is None else sign * cell[0]

    ranked = tuple(sorted(summary, key=rank))
    return replace(found, summary=ranked, order=tuple(str(row["fusion"]) for row in ranked))


def _complete(summary: list[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Add a row without numbers for each fusion that has runs but no summary: it must not vanish from the table."""
    known = {row.get("fusion") for row in summary}
    for row in rows:
        if row["fusion"] not in known:
            known.add(row["fusion"])
            summary.append({key: row.get(key) for key in ("fusion", "tokens", "pairing", "params")})
    return [row for row in summary if row.get("fusion")]


def _lead(results: Mapping[str, Any]) -> str:
    """Set the finding large, the rest below it, and the warnings as a list."""
    finding, rest, warnings = verdict_of(results)
    if not finding and not rest:
        finding = "No verdict is recorded."
    head = f'<p class="finding">{escape(finding)}</p>' if finding else ""
    listed = "".join(f"<li>{escape(part)}</li>" for part in warnings)
    below = "".join(f'<p class="rest">{escape(part)}</p>' for part in rest)
    return f"{head}{below}" + (
        f'<ul class="warnings" aria-label="Limits of this result">{listed}</ul>' if listed else ""
    )


def _floor(data: ReportData, page: Page) -> list[tuple[str, str]]:
    metric = data.headline()
    if metric.key not in data.floors:
        return []
    value = floor_number(metric, data.floors[metric.key])
    return [(f"{value}<small>{metric.unit}</small>", f"{escape(page.words.floor)}<br>{escape(metric.label)}")]


def _amounts(data: ReportData, page: Page) -> list[tuple[str, str]]:
    cards = []
    part = (data.data.get("splits") or {}).get(data.data.get("eval_split")) or {}
    if part:
        items = f"{figure(part.get('captions'), 0)} {escape(page.words.items)}"
        cards.append((figure(part.get("photos"), 0), f"photos evaluated<br>{items}"))
    if data.rows:
        fusions, seeds = len({row["fusion"] for row in data.rows}), len({row.get("seed") for row in data.rows})
        label = "run" if len(data.rows) == 1 else "runs"
        cards.append((str(len(data.rows)), f"{label}<br>{count(fusions, 'fusion')}, {count(seeds, 'seed')}"))
    return cards


def _cards(cards: Sequence[tuple[str, str]]) -> str:
    return "".join(f"<li><b>{value}</b><span>{label}</span></li>" for value, label in cards)


def _resource(name: str) -> str:
    return resources.files("plait.report").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
