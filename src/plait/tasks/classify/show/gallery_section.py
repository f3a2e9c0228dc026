"""The report's examples of classes: a fixed sample under every fusion, and each fusion's surest mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plait.report.layout import ReportData
from plait.report.text import PICTURE, escape, figure, name_text, number_of

__all__ = ["gallery_section"]

Item = Mapping[str, Any]


def gallery_section(data: ReportData) -> str:
    """Draw the fixed sample, then each fusion's surest mistakes; "" where there are none."""
    sample = list(data.gallery.get("classified") or ())
    mistakes = list(data.gallery.get("mistakes") or ())
    if not sample and not mistakes:
        return ""
    parts = ['<p class="note">The sample was drawn before training and is the same for every fusion.</p>']
    if sample:
        cards = "".join(_sample_card(item, data.order) for item in sample)
        parts.append(f'<div class="cards">{cards}</div>')
    for name in data.order:
        mine = [item for item in mistakes if item.get("fusion") == name]
        if mine:
            cards = "".join(_card(item, _answers(item.get("said"), str(item.get("truth")))) for item in mine)
            parts.append(
                f'<details><summary>{escape(name)}: surest mistakes</summary><div class="cards">{cards}</div></details>'
            )
    return "".join(parts)


def _sample_card(item: Item, order: Sequence[str]) -> str:
    results = item.get("results") or {}
    names = [*(name for name in order if name in results), *(name for name in results if name not in order)]
    answers = "".join(f"<h4>{name_text(name)}</h4>{_answers(results[name], str(item.get('truth')))}" for name in names)
    return _card(item, answers)


def _answers(said: object, truth: str) -> str:
    rows = ""
    for one in said if isinstance(said, list | tuple) else ():
        label = str(one.get("label"))
        kind, sign = ("right", "✓") if label == truth else ("wrong", "✗")
        share = number_of(one.get("probability"))
        shown = figure(None if share is None else 100 * share, unit="%")
        rows += f'<li class="{kind}"><span>{sign}</span><p>{escape(label)} {shown}</p></li>'
    return f'<ol class="answers">{rows}</ol>'


def _card(item: Item, answers: str) -> str:
    url = item.get("picture")
    picture = '<span class="gone">no picture</span>'
    if isinstance(url, str) and PICTURE.fullmatch(url):
        picture = f'<img src="{url}" alt="{escape(item.get("photo"))}" decoding="async">'
    return (
        f'<article class="card photo-card">{picture}<div><p><b>{escape(item.get("truth"))}</b></p>{answers}</div>'
        "</article>"
    )
