"""The report's parts that only masks have: figures, what a model reads, threshold and calibration curves, pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plait.report.charts import plain_lines
from plait.report.tables import Layout
from plait.report.text import MISSING, PICTURE, cell_of, empty, escape, figure, number_of

__all__ = ["MASK", "constant_score", "mask_curves", "mask_figures", "mask_gallery", "reading_table", "safe_masks"]

_READS = (
    ("miou", "as trained"),
    ("miou_text_shuffled", "other text"),
    ("miou_text_removed", "no text"),
    ("miou_image_removed", "no photo"),
)
_CONSTANT = (
    ("miou_mean_mask", "mean mask"),
    ("miou_all_foreground", "all foreground"),
    ("miou_all_background", "all background"),
)
MASK = Layout(
    bars=(("miou", "mIoU %"), ("oiou", "oIoU %")),
    main=(("p50", "P@0.5 %"), ("miou_text_shuffled", "mIoU, other text %")),
    views={
        "overlap": (
            ("miou", "mIoU %"),
            ("oiou", "oIoU %"),
            ("p50", "P@0.5 %"),
            ("p70", "P@0.7 %"),
            ("p90", "P@0.9 %"),
            ("dice", "Dice %"),
            ("boundary_f", "Boundary F %"),
        ),
        "reads": tuple((metric, label.capitalize()) for metric, label in _READS),
    },
    short=(("miou", "mIoU"), ("oiou", "oIoU")),
)
_RANKS = {"best": "Best", "median": "Middle", "worst": "Worst"}


def constant_score(summary: Sequence[Mapping[str, Any]]) -> float | None:
    """Give the mIoU of the best mask that reads nothing, in percent: what "chance" is for masks."""
    cells = [cell_of(row, metric) for row in summary for metric, _ in _CONSTANT]
    return max((cell[0] for cell in cells if cell is not None), default=None)


def mask_figures(summary: Sequence[Mapping[str, Any]], constant: float | None) -> list[tuple[str, str]]:
    """Give the large figures at the top: (value, label) as HTML."""
    cards = []
    for metric, label in (("miou", "best mIoU"), ("oiou", "best oIoU")):
        found = [(cell[0], str(row["fusion"])) for row in summary if (cell := cell_of(row, metric)) is not None]
        if found:
            mean, name = max(found)
            cards.append((f"{mean:.1f}<small>%</small>", f"{label}<br>{escape(name)}"))
    if constant is not None:
        cards.append((f"{constant:.1f}<small>%</small>", "best mask that<br>reads nothing, mIoU"))
    return cards


def reading_table(summary: Sequence[Mapping[str, Any]], order: Sequence[str]) -> str:
    """Draw what each fusion scores with one side taken away or exchanged, beside masks that read nothing."""
    if not any(cell_of(row, "miou_text_shuffled") for row in summary):
        return empty("No run has been measured without its text.")
    head = "".join(f'<th scope="col">{label}</th>' for _, label in (*_READS, *_CONSTANT))
    body = []
    for row in summary:
        cells = []
        for metric, _ in (*_READS, *_CONSTANT):
            cell = cell_of(row, metric)
            cells.append(f"<td>{MISSING if cell is None else figure(cell[0])}</td>")
        colour = f"s{order.index(str(row['fusion'])) % 10}"
        name = f'<span class="fusion {colour}"><i></i>{escape(row["fusion"])}</span>'
        body.append(f'<tr><th scope="row">{name}</th>{"".join(cells)}</tr>')
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="What is read"><table class="table">'
        '<caption class="hidden">mIoU with one side removed or exchanged</caption>'
        f'<thead><tr><th scope="col">Fusion</th>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'
    )


def mask_curves(rows: Sequence[Mapping[str, Any]], order: Sequence[str]) -> str:
    """Draw mIoU by threshold and calibration, each fusion's first seed."""
    first: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        if isinstance(row.get("mask"), Mapping) and row.get("fusion") in order:
            first.setdefault(str(row["fusion"]), row["mask"])
    by_threshold = {
        name: [(float(point["threshold"]), float(point["miou"])) for point in mask.get("by_threshold") or ()]
        for name, mask in first.items()
    }
    calibrated = {
        name: [
            ((float(span["low"]) + float(span["high"])) / 2, 100 * float(span["share"]))
            for span in mask.get("calibration") or ()
        ]
        for name, mask in first.items()
    }
    return plain_lines(
        {name: points for name, points in by_threshold.items() if points},
        title="mIoU by threshold",
        x_name="threshold",
        order=order,
    ) + plain_lines(
        {name: points for name, points in calibrated.items() if points},
        title="share of pixels that are foreground, by probability",
        x_name="probability (line: perfectly calibrated)",
        order=order,
        diagonal=True,
    )


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


def mask_gallery(gallery: Mapping[str, Any], order: Sequence[str]) -> str:
    """Draw a fixed sample under every fusion, then each fusion's best, middle and worst masks."""
    masks, extremes = safe_masks(gallery)
    if not masks and not extremes:
        return empty("No gallery was made for this comparison.")
    legend = (
        '<p class="note">Green: right. Blue: missed. Orange: marked, but not meant. The sample was drawn before '
        "anything was trained, the same for every fusion.</p>"
    )
    cards = "".join(_sample_card(item, order) for item in masks)
    parts = [legend, f'<div class="cards wide">{cards}</div>']
    for name in [name for name in order if any(item.get("fusion") == name for item in extremes)]:
        mine = [item for item in extremes if item.get("fusion") == name]
        cards = "".join(_extreme_card(item) for item in mine)
        parts.append(
            f"<details><summary>{escape(name)}: best, middle and worst</summary>"
            f'<div class="cards wide">{cards}</div></details>'
        )
    return "".join(parts)


def _sample_card(item: Mapping[str, Any], order: Sequence[str]) -> str:
    text = str(item.get("text", ""))
    shown = [
        _picture(item["pictures"].get(key), label, text) for key, label in (("photo", "photo"), ("truth", "truth"))
    ]
    results = item["results"]
    for name in [*(n for n in order if n in results), *(n for n in results if n not in order)]:
        told = f"{name}, IoU {figure(results[name]['iou'])} %"
        shown.append(_picture(results[name].get("error"), told, text))
    return _card(text, shown)


def _extreme_card(item: Mapping[str, Any]) -> str:
    text = str(item.get("text", ""))
    rank = _RANKS.get(str(item.get("rank")), str(item.get("rank")))
    shown = [
        _picture(item["pictures"].get(key), label, text)
        for key, label in (
            ("photo", "photo"),
            ("truth", "truth"),
            ("prediction", f"{rank}: IoU {figure(item.get('iou'))} %"),
            ("error", "error"),
        )
    ]
    return _card(text, shown)


def _card(text: str, pictures: Sequence[str]) -> str:
    strip = "".join(pictures)
    quote = f"<blockquote>{escape(text)}</blockquote>"
    return f'<article class="card mask-card">{quote}<div class="strip">{strip}</div></article>'


def _picture(url: str | None, label: str, text: str) -> str:
    shown = f'<img src="{url}" alt="{escape(label)}: {escape(text)}" decoding="async">' if url else _gone()
    return f"<figure>{shown}<figcaption>{escape(label)}</figcaption></figure>"


def _gone() -> str:
    return '<span class="gone">no picture</span>'
