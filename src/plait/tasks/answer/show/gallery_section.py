"""The report's examples of answers: a fixed sample of questions, with the most probable answers of every fusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plait.report.gallery import photo, switched
from plait.report.layout import ReportData
from plait.report.text import escape, figure, number_of

__all__ = ["gallery_section"]

Item = Mapping[str, Any]


def gallery_section(data: ReportData) -> str:
    """Draw the sample under every fusion, of which a button shows one; "" where there is none."""
    items = [item for item in data.gallery.get("asked") or () if isinstance(item, Mapping)]
    names = dict.fromkeys(str(name) for item in items for name in item.get("results") or {})
    blocks = {name: _block(name, items, data.photos) for name in names}
    if not blocks:
        return ""
    note = (
        '<p class="note">The sample was drawn before training and is the same for every fusion. ✓: at least one person '
        "gave this answer.</p>"
    )
    shown = switched(blocks, data.order, label="Fusion of the gallery", says="Answers of")
    return f'{note}<div id="gallery">{shown}</div><noscript><p class="empty">The photos need JavaScript.</p></noscript>'


def _block(name: str, items: Sequence[Item], photos: Mapping[str, str]) -> str:
    return f'<div class="cards">{"".join(_card(item, name, photos) for item in items)}</div>'


def _card(item: Item, name: str, photos: Mapping[str, str]) -> str:
    question = str(item.get("question", ""))
    choices = (item.get("results") or {}).get(name) or ()
    answers = "".join(_answer(one) for one in choices if isinstance(one, Mapping))
    return (
        f'<article class="card photo-card">{photo(item.get("photo"), question, photos)}<div><ol class="answers">'
        f"<li><span></span><p><strong>{escape(question)}</strong></p></li>"
        f"{answers or '<li><span></span><p>no answer is recorded</p></li>'}</ol>"
        f"<details open><summary>people answered: {escape(item.get('right', ''))}</summary></details></div></article>"
    )


def _answer(choice: Item) -> str:
    right = (number_of(choice.get("score")) or 0) > 0
    kind, sign = ("right", "✓") if right else ("wrong", "✗")
    return (
        f'<li class="{kind}"><span class="mark" role="img" aria-label="{kind}">{sign}</span>'
        f"<p>{escape(choice.get('answer', ''))}</p>"
        f"<small>{figure(number_of(choice.get('percent')), 0)}\u00a0%</small></li>"
    )
