"""The report's examples of matching: photos with the captions they score highest, and captions with their photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plait.report.gallery import photo, switched
from plait.report.layout import ReportData
from plait.report.text import escape, number_of

__all__ = ["gallery_section"]

Item = Mapping[str, Any]


def gallery_section(data: ReportData) -> str:
    """Draw the best answers of every fusion for the same photos and captions; "" where there are none."""
    by_photo, by_caption = (list(data.gallery.get(key) or ()) for key in ("by_photo", "by_caption"))
    names = dict.fromkeys(str(name) for item in (*by_photo, *by_caption) for name in item.get("results") or {})
    blocks = {name: _block(name, by_photo, by_caption, data.photos) for name in names}
    if not blocks:
        return ""
    shown = switched(blocks, data.order, label="Fusion of the gallery", says="Answers of")
    return f'<div id="gallery">{shown}</div><noscript><p class="empty">The photos need JavaScript.</p></noscript>'


def _block(name: str, by_photo: Sequence[Item], by_caption: Sequence[Item], photos: Mapping[str, str]) -> str:
    parts = []
    for title, cards in (
        ("Photos and the captions they score highest", [_photo_card(item, name, photos) for item in by_photo]),
        ("Captions and the photos they score highest", [_caption_card(item, name, photos) for item in by_caption]),
    ):
        if cards:
            parts.append(f'<h3>{title}</h3><div class="cards">{"".join(cards)}</div>')
    return "".join(parts)


def _hits(item: Item, name: str) -> list[Item]:
    return list((item.get("results") or {}).get(name) or ())


def _photo_card(item: Item, name: str, photos: Mapping[str, str]) -> str:
    answers = "".join(_answer(hit) for hit in _hits(item, name))
    captions = [str(text) for text in item.get("truth") or ()]
    own = ""
    if captions:
        title = "its own caption" if len(captions) == 1 else f"its own {len(captions)} captions"
        texts = "".join(f"<li>{escape(text)}</li>" for text in captions)
        own = f"<details><summary>{title}</summary><ul>{texts}</ul></details>"
    alt = captions[0] if captions else f"photo {item.get('photo')}"
    return (
        f'<article class="card photo-card">{photo(item.get("photo"), alt, photos)}<div><ol class="answers">'
        f"{answers or '<li><span></span><p>no answer is recorded</p></li>'}</ol>{own}</div></article>"
    )


def _answer(hit: Item) -> str:
    kind, sign = ("right", "✓") if hit.get("correct") else ("wrong", "✗")
    return (
        f'<li class="{kind}"><span class="mark" role="img" aria-label="{kind}">{sign}</span>'
        f"<p>{escape(hit.get('text', ''))}</p>{_score(hit, 'small')}</li>"
    )


def _caption_card(item: Item, name: str, photos: Mapping[str, str]) -> str:
    hits = _hits(item, name)
    found = next((place for place, hit in enumerate(hits) if hit.get("correct")), None)
    shown = "".join(_hit(hit, place, photos) for place, hit in enumerate(hits, start=1))
    if found is None:
        own = photo(item.get("photo"), "the photo of this caption", photos)
        truth = f'<div class="truth">{own}<span>the right photo is not among these</span></div>'
    else:
        truth = f'<div class="truth in">✓ found at rank {found + 1}</div>'
    return (
        f'<article class="card caption-card"><blockquote>{escape(item.get("text", ""))}</blockquote>'
        f'<div class="hits">{shown}</div>{truth}</article>'
    )


def _hit(hit: Item, place: int, photos: Mapping[str, str]) -> str:
    right = bool(hit.get("correct"))
    alt = f"{'right' if right else 'wrong'} photo, rank {place}"
    return (
        f'<div class="hit{" right" if right else ""}">{photo(hit.get("photo"), alt, photos)}'
        f"<b>{place}{' ✓' if right else ''}</b>{_score(hit, 'span')}</div>"
    )


def _score(hit: Item, tag: str) -> str:
    score = number_of(hit.get("score"))
    text = "" if score is None else f"{score:.2f}".replace("-", "−")
    return f'<{tag} title="score ({escape(hit.get("score_kind", ""))})">{text}</{tag}>'
