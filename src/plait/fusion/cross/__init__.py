"""Cross-attention between words and regions."""

from __future__ import annotations

from plait.core.tables import Entry

__all__ = ["CROSS"]

CROSS: dict[str, Entry] = {
    "cross": Entry(
        target="plait.fusion.cross.cross:CrossFusion",
        family="cross-attention",
        paper="Lu et al. 2019; Li et al. 2021",
        summary="multi-head cross-attention on tokens, one way or both",
        pairings=("itm", "rerank", "all", "matched"),
        gives="grid",
    ),
    "pixel_word": Entry(
        target="plait.fusion.cross.pixel_word:PixelWordFusion",
        family="cross-attention",
        paper="Yang et al. 2022; Ye et al. 2019",
        summary="every cell attends to the words; a gate scales what is added to the cell",
        pairings=("itm", "rerank", "all", "matched"),
        gives="grid",
    ),
    "self_cross": Entry(
        target="plait.fusion.cross.self_cross:SelfCrossFusion",
        family="cross-attention",
        paper="Anumula et al., masks from instructions",
        summary="self-attention on each side, words attend to cells, their mean scales the grid",
        pairings=("itm", "rerank", "all", "matched"),
        gives="grid",
    ),
    "self_cross_printed": Entry(
        target="plait.fusion.cross.self_cross_printed:PrintedSelfCrossFusion",
        family="cross-attention",
        paper="Anumula et al., masks from instructions",
        summary="the same as published: attention without residuals, one vector out",
        pairings=("itm", "rerank", "all", "matched"),
        gives="vector",
    ),
    "coattention": Entry(
        target="plait.fusion.cross.coattention:CoAttentionFusion",
        family="co-attention",
        paper="Lu et al. 2016",
        summary="words and regions weighted by their affinities, at once",
        pairings=("itm", "rerank", "all", "matched"),
        gives="pair",
    ),
    "coattention_alternating": Entry(
        target="plait.fusion.cross.coattention_alternating:AlternatingCoAttentionFusion",
        family="co-attention",
        paper="Lu et al. 2016",
        summary="words, then regions guided by them, then words guided by the regions",
        pairings=("itm", "rerank", "all", "matched"),
        gives="pair",
    ),
    "mcan": Entry(
        target="plait.fusion.cross.mcan:ModularCoAttentionFusion",
        family="co-attention",
        paper="Yu et al. 2019",
        summary="self-attention over words; regions attend to each other and to the words, in layers",
        pairings=("itm", "rerank", "all", "matched"),
        gives="grid",
    ),
}
