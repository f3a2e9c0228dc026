"""Gated fusions: one side scales the channels of the other."""

from __future__ import annotations

from plait.core.tables import Entry

__all__ = ["GATED"]

GATED: dict[str, Entry] = {
    "film": Entry(
        target="plait.fusion.gated.film:FilmFusion",
        family="modulation",
        paper="Perez et al. 2018; Lueddecke & Ecker 2022",
        summary="the sentence scales and shifts the channels of every cell",
        pairings=("itm", "rerank", "all", "matched"),
        gives="grid",
    ),
}
