"""Bilinear fusions: products of both sides' entries."""

from __future__ import annotations

from plait.core.tables import Entry

__all__ = ["BILINEAR"]

BILINEAR: dict[str, Entry] = {
    "product": Entry(
        target="plait.fusion.bilinear.product:ProductFusion",
        family="pooled",
        paper="Kim et al. 2017",
        summary="elementwise product of projected pooled vectors",
        pairings=("all", "itm", "rerank", "matched"),
        takes="pooled",
        gives="pair",
    ),
    "correlation": Entry(
        target="plait.fusion.bilinear.correlation:CorrelationFusion",
        family="bilinear",
        paper="Zadeh et al. 2017",
        summary="outer product of the reduced sentence with every reduced cell",
        pairings=("itm", "rerank", "all", "matched"),
        gives="grid",
    ),
    "grid_product": Entry(
        target="plait.fusion.bilinear.grid_product:GridProductFusion",
        family="bilinear",
        paper="Kim et al. 2017",
        summary="elementwise product of the sentence with every cell, self-attention before it as an option",
        pairings=("itm", "rerank", "all", "matched"),
        gives="grid",
    ),
}
