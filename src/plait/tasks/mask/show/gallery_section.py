"""The report's examples of masks: a fixed sample under every fusion, and each fusion's best, middle and worst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plait.report.layout import ReportData
from plait.report.text import PICTURE, escape, figure, name_text, number_of

__all__ = ["gallery_section", "safe_masks"]

_RANKS = {"best": "best", "median": "middle", "worst": "worst"}


def gallery_section(data: ReportData) -> str:
    """Draw the fixed sample, then each fusion's best, middle and worst masks; "" where there are none."""
    masks, extremes = safe_masks(data.gallery)
    if not masks and not extremes:
        return ""
    legend = (
        '<p class="note">Green: right. Blue: missed. Orange: marked, but not part of the region. The sample was drawn '
        "before training and is the same for every fusion.</p>"
    )
    parts = [legend, *(_sample_card(item, data.order) for item in masks)]
    for name in data.order:
        mine = [item for item in extremes if item.get("fusion") == name]
        if mine:
            cards = "".join(_extreme_card(item) for item in mine)
            parts.append(f"<details><summary>{escape(name)}: best, middle and worst</summary>{cards}</details>")
    return "".join(parts)


def safe_masks(gallery: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Give the gallery's masks and extremes whose pictures lie in the file itself; any other address is dropped."""

    def kept(pictures: object) -> dict[str, str]:
        found = pictures if isinstance(pictures, Mapping) else {}
        return {str(k): v for k, v in found.items() if isinstance(v, str) and PICTURE.fullmatch(v)}

    masks = [
        {
            **item,
            "pictures": kept(item.get("pictures")),
            "results": {
                str(name): {"iou": number_of(result.get("iou")), **kept(result)}
                for name, result in (item.get("results") or {}).items()
            },
        }
        for item in gallery.get("masks") or ()
    ]
    extremes = [{**item, "pictures": kept(item.get("pictures"))} for item in gallery.get("extremes") or ()]
    return masks, extremes


def _sample_card(item: Mapping[str, Any], order: Sequence[str]) -> str:
    text = str(item.get("text", ""))
    shown = [
        _picture(item["pictures"].get(key), label, "", text) for key, label in (("photo", "photo"), ("truth", "truth"))
    ]
    results = item["results"]
    for name in [*(n for n in order if n in results), *(n for n in results if n not in order)]:
        shown.append(_picture(results[name].get("error"), name, _iou(results[name]["iou"]), text))
    return _card(text, shown)


def _extreme_card(item: Mapping[str, Any]) -> str:
    text = str(item.get("text", ""))
    rank = _RANKS.get(str(item.get("rank")), str(item.get("rank")))
    shown = [
        _picture(item["pictures"].get(key), label, more, text)
        for key, label, more in (
            ("photo", "photo", ""),
            ("truth", "truth", ""),
            ("prediction", rank, _iou(item.get("iou"))),
            ("error", "error", ""),
        )
    ]
    return _card(text, shown)


def _iou(value: object) -> str:
    return f"IoU\u00a0{figure(value)}\u00a0%"


def _card(text: str, pictures: Sequence[str]) -> str:
    quote = f"<blockquote>{escape(text)}</blockquote>"
    return f'<article class="card strip-card">{quote}<div class="strip">{"".join(pictures)}</div></article>'


def _picture(url: str | None, label: str, more: str, text: str) -> str:
    shown = '<span class="gone">no picture</span>'
    if url:
        shown = f'<img src="{url}" alt="{escape(label)}: {escape(text)}" decoding="async">'
    caption = f"{name_text(label)}, {more}" if more else name_text(label)
    return f"<figure>{shown}<figcaption>{caption}</figcaption></figure>"
