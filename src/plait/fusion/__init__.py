"""Fusions: the ways a sentence and a picture meet. One file a mechanism; the table says how each can be scored."""

from __future__ import annotations

from plait.core.tables import Entry
from plait.fusion.textbook import DESIGNS
from plait.fusion.ladder import RUNGS

__all__ = ["FUSIONS"]

FUSIONS: dict[str, Entry] = {
    "late": Entry(
        target="plait.fusion.two_tower.late:LateFusion",
        family="two towers",
        paper="Faghri et al. 2018",
        summary="one vector a side, compared: the control without token fusion",
        pairings=("all",),
    ),
    "product": Entry(
        target="plait.fusion.bilinear.product:ProductFusion",
        family="pooled",
        paper="Kim et al. 2017",
        summary="elementwise product of projected pooled vectors",
        pairings=("all", "itm", "matched"),
    ),
    "concat": Entry(
        target="plait.fusion.single_stream.concat:ConcatFusion",
        family="one stream",
        paper="Li et al. 2019; Chen et al. 2020",
        summary="joint self-attention over text and image tokens together",
        pairings=("itm", "all", "matched"),
        tasks=("match", "mask"),
    ),
    "cross": Entry(
        target="plait.fusion.cross.cross:CrossFusion",
        family="cross-attention",
        paper="Lu et al. 2019; Li et al. 2021",
        summary="multi-head cross-attention on tokens, one way or both",
        pairings=("itm", "all", "matched"),
        tasks=("match", "mask"),
    ),
    "scan_t2i": Entry(
        target="plait.fusion.stacked.scan:ScanTextToImage",
        family="stacked cross-attention",
        paper="Lee et al. 2018",
        summary="each word against the mixture of regions it attends to",
        pairings=("all",),
    ),
    "scan_i2t": Entry(
        target="plait.fusion.stacked.scan:ScanImageToText",
        family="stacked cross-attention",
        paper="Lee et al. 2018",
        summary="each region against the mixture of words it attends to",
        pairings=("all",),
    ),
    "scan": Entry(
        target="plait.fusion.stacked.scan:ScanBoth",
        family="stacked cross-attention",
        paper="Lee et al. 2018",
        summary="the average of both directions of stacked cross-attention",
        pairings=("all",),
    ),
    "max_sim": Entry(
        target="plait.fusion.stacked.max_sim:MaxSimFusion",
        family="late interaction",
        paper="Khattab & Zaharia 2020; Yao et al. 2022",
        summary="each word against its most similar region",
        pairings=("all",),
    ),
    "film": Entry(
        target="plait.fusion.gated.film:FilmFusion",
        family="modulation",
        paper="Perez et al. 2018; Lueddecke & Ecker 2022",
        summary="the sentence scales and shifts the channels of every cell",
        pairings=("itm", "all", "matched"),
        tasks=("match", "mask"),
    ),
    "pixel_word": Entry(
        target="plait.fusion.cross.pixel_word:PixelWordFusion",
        family="cross-attention",
        paper="Yang et al. 2022; Ye et al. 2019",
        summary="every cell attends to the words; a gate lets in what it found",
        pairings=("itm", "all", "matched"),
        tasks=("match", "mask"),
    ),
    "self_cross": Entry(
        target="plait.fusion.cross.self_cross:SelfCrossFusion",
        family="cross-attention",
        paper="course report on masks from instructions",
        summary="self-attention on each side, words ask cells, the answer marks the grid",
        pairings=("itm", "all", "matched"),
        tasks=("match", "mask"),
    ),
    "self_cross_printed": Entry(
        target="plait.fusion.cross.self_cross:SelfCrossFusion",
        family="cross-attention",
        paper="course report on masks from instructions",
        summary="the same as published: attention without residuals, one vector out",
        pairings=("itm", "all", "matched"),
        options={"printed": True},
        tasks=("match", "mask"),
    ),
    "correlation": Entry(
        target="plait.fusion.bilinear.correlation:CorrelationFusion",
        family="bilinear",
        paper="Zadeh et al. 2017",
        summary="outer product of the reduced sentence with every reduced cell",
        pairings=("itm", "all", "matched"),
        tasks=("match", "mask"),
    ),
    "grid_product": Entry(
        target="plait.fusion.bilinear.grid_product:GridProductFusion",
        family="bilinear",
        paper="Kim et al. 2017",
        summary="elementwise product of the sentence with every cell, self-attention before it as an option",
        pairings=("itm", "all", "matched"),
        tasks=("match", "mask"),
    ),
    "image_only": Entry(
        target="plait.fusion.control.image_only:ImageOnlyFusion",
        family="control",
        paper="-",
        summary="trained without the text: what a mask can be without a word of it",
        pairings=(),
        tasks=("mask",),
    ),
    "clip_dense": Entry(
        target="plait.fusion.two_tower.clip_dense:ClipDenseFusion",
        family="shared space",
        paper="Radford et al. 2021; Lueddecke & Ecker 2022",
        summary="cosine of every cell with the sentence in the encoders' shared space, decoded",
        pairings=("itm", "all", "matched"),
        tasks=("match", "mask"),
    ),
    **RUNGS,
    **DESIGNS,
}
