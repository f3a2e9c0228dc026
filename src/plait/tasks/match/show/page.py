"""Matching in the report: where its figures are shown, what random answers score, its words and its badges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plait.report.layout import Badge, Layout, Page, View, Words
from plait.report.text import number_of
from plait.tasks.match.metrics import METRICS
from plait.tasks.match.show.audit_section import audit_section
from plait.tasks.match.show.gallery_section import gallery_section

__all__ = ["PAGE"]

_FIGURES = ("r1", "r5", "r10", "median_rank", "map", "r1_towers", "r1_gain", "r1_fused", "r1_random")
_PAIRINGS = {
    "all": "every photo is scored with every caption through the fusion",
    "itm": "two towers, then a fused head re-ranks the towers' best candidates",
    "rerank": "towers are trained first and kept; then a fused head learns to re-rank their best candidates",
    "matched": "the protocol of some papers: each photo is fused with its own caption first",
}


def _floors(summary: Sequence[Mapping[str, Any]], data: Mapping[str, Any]) -> Mapping[str, float]:
    """Give what random scores earn in percent: R@1 of one of I images, or of c of I * c captions, which is the same."""
    floors = {"binding_accuracy": 50.0}
    part = (data.get("splits") or {}).get(data.get("eval_split")) or {}
    images = number_of(part.get("photos"))
    if images:
        floors |= {"t2i_r1": 100.0 / images, "i2t_r1": 100.0 / images}
    return floors


def _badges(row: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> list[Badge]:
    if not row.get("pairing"):
        return []
    reranked = next((run["rerank_k"] for run in runs if run.get("rerank_k")), None)
    pairing = str(row["pairing"])
    return [Badge(f"{pairing}, top {reranked}" if reranked else pairing, _PAIRINGS.get(pairing, "pairing"))]


PAGE = Page(
    metrics=METRICS,
    layout=Layout(
        bars=("binding_accuracy", "t2i_r1", "i2t_r1"),
        views=(
            View("texttoimage", "Text → image", (*(f"t2i_{name}" for name in _FIGURES), "t2i_agreement")),
            View("imagetotext", "Image → text", tuple(f"i2t_{name}" for name in _FIGURES)),
        ),
        runs=("t2i_r1", "i2t_r1"),
    ),
    words=Words(
        items="captions",
        floor="chance",
        audit=(
            "In percent. A leak-free score falls to chance when captions or photos are shuffled among the pairs, and "
            "finds no more than chance in noise. One that does not fall has read the answer from the pairing. Here "
            "every photo has one caption, and there may be fewer photos than in the leaderboard: compare a figure "
            "with the chance of its own row."
        ),
        curves="Recalls are measured on part of the validation split.",
        meanings=(
            (
                "Ties",
                "Equal scores count as their expected value over all orders, so constant scores earn chance.",
            ),
        ),
    ),
    floors=_floors,
    badges=_badges,
    audit=audit_section,
    gallery=gallery_section,
)
