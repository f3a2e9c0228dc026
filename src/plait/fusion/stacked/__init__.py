"""Stacked cross-attention and late interaction: each query is compared with its context from the other side."""

from __future__ import annotations

from plait.core.tables import Entry

__all__ = ["STACKED"]

STACKED: dict[str, Entry] = {
    "scan_t2i": Entry(
        target="plait.fusion.stacked.scan:ScanTextToImage",
        family="stacked cross-attention",
        paper="Lee et al. 2018",
        summary="each word against the mixture of regions it attends to",
        pairings=("all",),
        gives="pair",
    ),
    "scan_i2t": Entry(
        target="plait.fusion.stacked.scan:ScanImageToText",
        family="stacked cross-attention",
        paper="Lee et al. 2018",
        summary="each region against the mixture of words it attends to",
        pairings=("all",),
        gives="pair",
    ),
    "scan": Entry(
        target="plait.fusion.stacked.scan:ScanBoth",
        family="stacked cross-attention",
        paper="Lee et al. 2018",
        summary="the average of both directions of stacked cross-attention",
        pairings=("all",),
        gives="pair",
    ),
    "max_sim": Entry(
        target="plait.fusion.stacked.max_sim:MaxSimFusion",
        family="late interaction",
        paper="Khattab & Zaharia 2020; Yao et al. 2022",
        summary="each word against its most similar region",
        pairings=("all",),
        gives="pair",
    ),
    "san": Entry(
        target="plait.fusion.stacked.san:StackedAttentionFusion",
        family="stacked attention",
        paper="Yang et al. 2016",
        summary="the question attends to the image several times, each time with what it saw",
        pairings=("itm", "rerank", "all", "matched"),
        gives="pair",
    ),
    "dan": Entry(
        target="plait.fusion.stacked.dan:DualAttentionFusion",
        family="stacked attention",
        paper="Nam et al. 2017",
        summary="words and regions are attended to in steps, guided by one memory of both",
        pairings=("itm", "rerank", "all", "matched"),
        gives="pair",
    ),
}
