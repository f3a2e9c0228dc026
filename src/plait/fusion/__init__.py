"""Fusions: the ways a sentence and a picture meet. One file a mechanism; the table says how each can be scored."""

from __future__ import annotations

from plait.core.tables import Entry
from plait.fusion.chapter import DESIGNS
from plait.fusion.ladder import RUNGS

__all__ = ["FUSIONS"]

FUSIONS: dict[str, Entry] = {
    "late": Entry(
        target="plait.fusion.late:LateFusion",
        family="two towers",
        paper="Faghri et al. 2018",
        summary="one vector a side, compared: the control without token fusion",
        pairings=("all",),
    ),
    "product": Entry(
        target="plait.fusion.product:ProductFusion",
        family="pooled",
        paper="Kim et al. 2017",
        summary="elementwise product of projected pooled vectors",
        pairings=("all", "itm", "matched"),
    ),
    "concat": Entry(
        target="plait.fusion.concat:ConcatFusion",
        family="one stream",
        paper="Li et al. 2019; Chen et al. 2020",
        summary="joint self-attention over text and image tokens together",
        pairings=("itm", "all", "matched"),
    ),
    "cross": Entry(
        target="plait.fusion.cross:CrossFusion",
        family="cross-attention",
        paper="Lu et al. 2019; Li et al. 2021",
        summary="multi-head cross-attention on tokens, one way or both",
        pairings=("itm", "all", "matched"),
    ),
    "scan_t2i": Entry(
        target="plait.fusion.scan:ScanTextToImage",
        family="stacked cross-attention",
        paper="Lee et al. 2018",
        summary="each word against the mixture of regions it attends to",
        pairings=("all",),
    ),
    "scan_i2t": Entry(
        target="plait.fusion.scan:ScanImageToText",
        family="stacked cross-attention",
        paper="Lee et al. 2018",
        summary="each region against the mixture of words it attends to",
        pairings=("all",),
    ),
    "scan": Entry(
        target="plait.fusion.scan:ScanBoth",
        family="stacked cross-attention",
        paper="Lee et al. 2018",
        summary="the average of both directions of stacked cross-attention",
        pairings=("all",),
    ),
    "max_sim": Entry(
        target="plait.fusion.max_sim:MaxSimFusion",
        family="late interaction",
        paper="Khattab & Zaharia 2020; Yao et al. 2022",
        summary="each word against its most similar region",
        pairings=("all",),
    ),
    **RUNGS,
    **DESIGNS,
}
