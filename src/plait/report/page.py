"""Write the report: one HTML file that needs nothing but itself."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from plait.core.errors import InputError, StorageError
from plait.compare.verdict import verdict
from plait.report.audit import audit_table, legend
from plait.report.charts import curves, scatter
from plait.tasks.mask.page import MASK, constant_score, mask_curves, mask_figures, mask_gallery, reading_table
from plait.report.tables import MATCH, data_card, leaderboard, reproduce, runs_table, tests_matrix
from plait.report.text import PICTURE, cell_of, count, empty, escape, figure, inline_json, number_of
from plait.report.words import MASK_WORDS, MATCH_WORDS, times_note

__all__ = ["write_report"]


def write_report(results: Mapping[str, Any], gallery: Mapping[str, Any] | None, path: Path | str) -> Path:
    """Write the results of a comparison as one self-contained page and give its path.

    What is missing (no gallery, no curves, one fusion, one seed, runs that failed) is said on the page, not an error.
    All text of the data is escaped, pictures that are not data in the file are dropped, and a content policy in it
    forbids every request.

    Arguments:
        results: the content of results.json; needs "rows" or "summary"
        gallery: the content of gallery.json, or None. An entry of "attention" may hold "box": [x0, y0, x1, y1], the
            grid's edges as parts of the photo; the whole photo without it.
        path:    the file to write; folders on the way are made, an older file is replaced at once
    Raises:
        InputError: `results` has neither rows nor a summary.
        StorageError: the file cannot be written.
    """
    if not isinstance(results, Mapping) or not ({"rows", "summary"} & results.keys()):
        raise InputError(
            "report: expected the results of `plait compare` with 'rows' or 'summary', got "
            f"{sorted(results) if isinstance(results, Mapping) else type(results).__name__}; pass its results.json"
        )
    text = _page(results, gallery or {})
    path = Path(path)
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise StorageError(
            f"report {path}: cannot be written ({error}); is the disk full or the folder locked?"
        ) from None
    return path


def _page(results: Mapping[str, Any], gallery: Mapping[str, Any]) -> str:
    rows = [row for row in results.get("rows") or () if row.get("fusion")]
    summary = _complete(list(results.get("summary") or ()), rows)
    tests = list(results.get("tests") or ())
    leaky = {str(row["fusion"]) for row in (*summary, *rows) if "leaky" in (row.get("flags") or ())}
    is_mask = results.get("task") == "mask"
    layout, words = (MASK, MASK_WORDS) if is_mask else (MATCH, MATCH_WORDS)
    headline = layout.bars[0][0]
    summary.sort(key=lambda row: (row["fusion"] in leaky, _rank(row, headline)))
    order = [str(row["fusion"]) for row in summary]
    # Charts would rank what cannot be ranked; where all is leaky there is nothing to mix it with.
    drawn = [row for row in summary if row["fusion"] not in leaky] or summary
    data = results.get("data") or {}
    chance = constant_score(summary) if is_mask else _chance(data)
    said = str(results.get("verdict") or verdict(summary, tests, rows=rows, metric=headline))
    style, script = _resource("page.css"), _resource("page.js")
    shown = _safe_gallery(gallery)
    name = str(data.get("name") or "unnamed data")
    return Template(_resource("page.html")).substitute(
        title=escape(f"{name}: ways of fusing compared"),
        name=escape(name),
        style=style,
        script=script,
        script_hash=_hash(script),
        lead=_lead(said),
        figures=_cards(
            [
                *(mask_figures(summary, chance) if is_mask else _best(summary, rows, chance)),
                *_amounts(rows, data, is_mask),
            ]
        ),
        views=words.buttons(),
        leaderboard=leaderboard(summary, rows, order, chance, layout=layout)
        if summary
        else empty("No run has finished yet."),
        board_note=words.board_note.format(chance=f"{chance:.2g} %" if chance is not None else "unknown"),
        legend=legend(rows),
        audit=reading_table(summary, order) if is_mask else audit_table(rows, order),
        audit_note=words.audit_note,
        cost_note=words.cost_note + times_note(rows),
        definitions=words.definitions(),
        left_out=_left_out(leaky) if len(drawn) < len(summary) else "",
        curves=_curves([row for row in rows if any(row["fusion"] == kept["fusion"] for kept in drawn)], order, is_mask),
        scatters="".join(
            scatter(drawn, key, title=title, order=order, metric=headline)
            for key, title in (("step_ms", "time a step"), ("train_s", "training time"), ("params", "parameters"))
        ),
        tests=tests_matrix(tests, order, results.get("power") or ()) if tests else empty(_why_no_tests(summary)),
        gallery=mask_gallery(gallery, order) if is_mask else _gallery_part(shown),
        attention=_attention_part(shown),
        data=data_card(data),
        reproduce=reproduce(results),
        runs=runs_table(rows, layout=layout) if rows else empty("No run is recorded."),
        gallery_json=inline_json({**shown, "order": order}),
        version=escape(results.get("plait", "")),
    )


def _left_out(leaky: set[str]) -> str:
    names = ", ".join(sorted(leaky))
    return f'<p class="note">Not drawn, because leaky: {escape(names)}. Such numbers are no matching results.</p>'


def _complete(summary: list[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Add a row without numbers for each fusion that has runs but no summary: it must not vanish from the table."""
    known = {row.get("fusion") for row in summary}
    for row in rows:
        if row["fusion"] not in known:
            known.add(row["fusion"])
            summary.append({key: row.get(key) for key in ("fusion", "tokens", "pairing", "params")})
    return [row for row in summary if row.get("fusion")]


def _rank(row: Mapping[str, Any], metric: str) -> float:
    """Sort the best first and fusions without the metric last; equal ones stay in their order."""
    cell = cell_of(row, metric)
    return 1.0 if cell is None else -cell[0]


def _chance(data: Mapping[str, Any]) -> float | None:
    """Give R@1 of random scores in percent: one of I photos, or c of I * c captions, which is the same."""
    part = (data.get("splits") or {}).get(data.get("eval_split")) or {}
    photos = number_of(part.get("photos"))
    return 100.0 / photos if photos else None


def _lead(said: str) -> str:
    """Set the first finding large and the rest below it."""
    first, mark, rest = said.partition("; ")
    if not mark:
        found = re.match(r"(.+?[.)])\s+(?=[A-Z])(.*)", said, flags=re.DOTALL)
        first, rest = (found.group(1), found.group(2)) if found else (said, "")
    first = first.rstrip(".") + "."
    # numbers in brackets qualify the finding; set smaller, they do not break its line
    body = re.sub(r"\(([^()]*)\)", r'<span class="aside">(\1)</span>', escape(first).replace("-to-", "\u2011to\u2011"))
    tail = f'<p class="rest">{escape(rest)}</p>' if rest else ""
    return f'<p class="finding">{body}</p>{tail}'


def _best(
    summary: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]], chance: float | None
) -> list[tuple[str, str]]:
    cards = []
    leaky = {row["fusion"] for row in rows if "leaky" in (row.get("flags") or ())}
    for metric, label in (("t2i_r1", "best text → image R@1"), ("i2t_r1", "best image → text R@1")):
        cells = [(cell_of(row, metric), str(row["fusion"])) for row in summary if row["fusion"] not in leaky]
        found = [(cell[0], name) for cell, name in cells if cell]
        if found:
            mean, name = max(found)
            cards.append((f"{mean:.1f}<small>%</small>", f"{label}<br>{escape(name)}"))
    if chance is not None:
        cards.append((f"{chance:.2g}<small>%</small>", "chance<br>R@1 of random scores"))
    return cards


def _amounts(rows: Sequence[Mapping[str, Any]], data: Mapping[str, Any], is_mask: bool) -> list[tuple[str, str]]:
    cards = []
    part = (data.get("splits") or {}).get(data.get("eval_split")) or {}
    if part:
        asked = f"{figure(part.get('photos'), 0)}"
        unit = "masks" if is_mask else "captions"
        cards.append((asked, f"photos asked about<br>{figure(part.get('captions'), 0)} {unit}"))
    if rows:
        fusions, seeds = len({row["fusion"] for row in rows}), len({row.get("seed") for row in rows})
        label = "run" if len(rows) == 1 else "runs"
        cards.append((str(len(rows)), f"{label}<br>{count(fusions, 'fusion')}, {count(seeds, 'seed')}"))
    return cards


def _cards(cards: Sequence[tuple[str, str]]) -> str:
    return "".join(f"<li><b>{value}</b><span>{label}</span></li>" for value, label in cards)


def _curves(rows: Sequence[Mapping[str, Any]], order: Sequence[str], is_mask: bool) -> str:
    if not any(row.get("curve") for row in rows):
        return empty("No training curve is recorded.")
    metrics = [("miou", "mIoU at the best threshold, part of val", "%")]
    if not is_mask:
        metrics = [("t2i_r1", "text-to-image R@1", "%"), ("i2t_r1", "image-to-text R@1", "%")]
    drawn = [
        curves(rows, key, title=title, unit=unit, order=order)
        for key, title, unit in (*metrics, ("loss", "training loss", ""))
    ]
    return "".join([*drawn, mask_curves(rows, order) if is_mask else ""])


def _why_no_tests(summary: Sequence[Mapping[str, Any]]) -> str:
    return "There is one fusion, so there is nothing to test." if len(summary) < 2 else "No test is recorded."


def _safe_gallery(gallery: Mapping[str, Any]) -> dict[str, Any]:
    photos = {
        str(key): value
        for key, value in (gallery.get("photos") or {}).items()
        if isinstance(value, str) and PICTURE.fullmatch(value)
    }
    return {
        "photos": photos,
        "by_photo": list(gallery.get("by_photo") or ()),
        "by_caption": list(gallery.get("by_caption") or ()),
        "attention": [entry for entry in gallery.get("attention") or () if _fits(entry)],
    }


def _fits(entry: Mapping[str, Any]) -> bool:
    """Tell whether a map's numbers fit its grid; one that does not would be drawn in the wrong place."""
    grid, words, weights = (list(entry.get(key) or ()) for key in ("grid", "words", "weights"))
    return len(grid) == 2 and 0 < len(words) == len(weights) and all(len(w) == grid[0] * grid[1] for w in weights)


def _gallery_part(gallery: Mapping[str, Any]) -> str:
    if not gallery["by_photo"] and not gallery["by_caption"]:
        return empty("No gallery was made for this comparison.")
    return '<div id="gallery"></div><noscript><p class="empty">The gallery needs JavaScript.</p></noscript>'


def _attention_part(gallery: Mapping[str, Any]) -> str:
    if not gallery["attention"]:
        return empty("No attention map was made: none of these fusions attends, or none was asked for.")
    return '<div id="attention"></div><noscript><p class="empty">The maps need JavaScript.</p></noscript>'


def _resource(name: str) -> str:
    return resources.files("plait.report").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
