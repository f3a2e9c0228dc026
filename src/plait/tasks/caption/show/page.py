"""Captions in the report: where their figures are shown, what captions score that never looked, and examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plait.report.gallery import photo
from plait.report.layout import Badge, Layout, Page, ReportData, View, Words
from plait.report.text import MISSING, cell_of, empty, escape, figure, name_text, value_of
from plait.tasks.caption.metrics import BASELINES, METRIC_OF, METRICS, baseline_key

__all__ = ["PAGE"]

_BASELINE_KEYS = tuple(baseline_key("cider_d", kind) for kind in BASELINES)
_RANKS = {"best": "best by CIDEr-D", "worst": "worst by CIDEr-D"}


def _floors(summary: Sequence[Mapping[str, Any]], data: Mapping[str, Any]) -> Mapping[str, float]:
    """Give what the most common training caption scores."""
    found: dict[str, float] = {}
    for metric in ("cider_d", "bleu_4"):
        cells = [cell_of(row, baseline_key(metric, "most_common")) for row in summary]
        best = max((cell[0] for cell in cells if cell is not None), default=None)
        found |= {} if best is None else {metric: best}
    return found


def _badges(row: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> Sequence[Badge]:
    """Name how few captions a run has that says the same of every photo."""
    varieties = [(run.get("caption") or {}).get("variety") or {} for run in runs]
    return [Badge(str(one["sentence"])) for one in varieties[:1] if one.get("says_the_same")]


def _audit(data: ReportData) -> str:
    """Draw CIDEr-D of each decoder beside captions that were written without their image."""
    keys = ("cider_d", *_BASELINE_KEYS)
    if not data.measured(_BASELINE_KEYS):
        return empty("No run has been measured beside captions that do not read the image.")
    heads = ["as trained", *(METRIC_OF[key].short for key in _BASELINE_KEYS), "distinct captions"]
    head = "".join(f'<th scope="col">{escape(text.capitalize())}</th>' for text in heads)
    first = {str(row.get("fusion")): row for row in reversed(data.rows)}
    body = []
    for row in data.summary:
        cells = ""
        for key in keys:
            cell = cell_of(row, key)
            cells += f"<td>{MISSING if cell is None else value_of(METRIC_OF[key], cell[0])}</td>"
        variety = (first.get(str(row["fusion"]), {}).get("caption") or {}).get("variety") or {}
        cells += f"<td>{escape(variety.get('sentence', '')) or MISSING}</td>"
        body.append(f'<tr><th scope="row">{data.label(str(row["fusion"]))}</th>{cells}</tr>')
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="What the decoders read"><table class="table">'
        f'<caption class="hidden">{METRIC_OF["cider_d"].label} beside captions that never looked</caption>'
        f'<thead><tr><th scope="col">Decoder</th>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'
        f"{_vocabulary(data)}"
    )


def _vocabulary(data: ReportData) -> str:
    found = next(
        (row["caption"]["vocabulary"] for row in data.rows if (row.get("caption") or {}).get("vocabulary")), None
    )
    if found is None:
        return ""
    return (
        f'<p class="note">Vocabulary: {figure(found["words"], 0)} words that occur {figure(found["min_count"], 0)} '
        f"or more among the training captions; they are {figure(found['covered'])} % of the words of the captions "
        f"measured on, of which {figure(found['cut'])} % are longer than the model writes.</p>"
    )


def _gallery(data: ReportData) -> str:
    """Draw the fixed sample, then each decoder's best and worst captions; "" where there are none."""
    sample, extremes = (data.gallery.get(part) or () for part in ("captions", "extremes"))
    if not sample and not extremes:
        return ""
    parts = [
        '<p class="note">The sample was drawn before training and is the same for every decoder. The number beside a '
        "caption is its CIDEr-D.</p>",
        f'<div class="cards">{"".join(_card(item, data) for item in sample)}</div>',
    ]
    for name in data.order:
        mine = [item for item in extremes if item.get("fusion") == name]
        if mine:
            cards = "".join(_extreme(item, data) for item in mine)
            parts.append(
                f'<details><summary>{escape(name)}: best and worst</summary><div class="cards">{cards}</div></details>'
            )
    return "".join(parts)


def _card(item: Mapping[str, Any], data: ReportData) -> str:
    results = item.get("results") or {}
    names = [*(name for name in data.order if name in results), *(name for name in results if name not in data.order)]
    said = "".join(_said(results[name], name_text(name)) for name in names)
    return _article(item, said, data)


def _extreme(item: Mapping[str, Any], data: ReportData) -> str:
    rank = _RANKS.get(str(item.get("rank")), str(item.get("rank")))
    return _article(item, _said(item, escape(rank)), data)


def _said(result: Mapping[str, Any], by: str) -> str:
    """Draw a caption with who wrote it, which is HTML, and its score."""
    score = f"{by}, {figure(result.get('cider_d'))}"
    return f'<li class="right"><span></span><p>{escape(result.get("text", ""))}<br><small>{score}</small></p></li>'


def _article(item: Mapping[str, Any], said: str, data: ReportData) -> str:
    references = "".join(f"<li>{escape(text)}</li>" for text in item.get("references") or ())
    shown = photo(item.get("photo"), f"photo {item.get('photo')}", data.photos)
    return (
        f'<article class="card photo-card">{shown}<div><ol class="answers">{said}</ol>'
        f"<details><summary>references</summary><ul>{references}</ul></details></div></article>"
    )


PAGE = Page(
    metrics=METRICS,
    layout=Layout(
        bars=("cider_d", "bleu_4"),
        main=("rouge_l", "distinct"),
        views=(
            View("bleu", "BLEU", ("bleu_1", "bleu_2", "bleu_3", "bleu_4")),
            View("baselines", "Without the image", _BASELINE_KEYS),
            View("variety", "Variety", ("distinct", "same", "words")),
        ),
        runs=("cider_d", "bleu_4"),
    ),
    words=Words(
        items="captions",
        floor="the most common training caption",
        audit=(
            "Captions of another image and of a blank image were written by the trained model; the most common and the "
            "nearest image's caption come from the training captions. A model that does not score above all but the "
            "nearest did not train; one whose score does not fall with another image's caption ignores the image."
        ),
        curves="CIDEr-D and BLEU-4 of the curves are of greedy captions of at most 100 val images.",
    ),
    floors=_floors,
    badges=_badges,
    audit=_audit,
    gallery=_gallery,
)
