"""Two towers: each side becomes vectors alone, and the vectors are compared."""

from __future__ import annotations

from plait.core.tables import Entry

__all__ = ["TWO_TOWER"]

TWO_TOWER: dict[str, Entry] = {
    "late": Entry(
        target="plait.fusion.two_tower.late:LateFusion",
        family="two towers",
        paper="Faghri et al. 2018",
        summary="one vector per side, compared: the control without token fusion",
        pairings=("all",),
        takes="pooled",
        gives="pair",
    ),
    "clip_dense": Entry(
        target="plait.fusion.two_tower.clip_dense:ClipDenseFusion",
        family="shared space",
        paper="Radford et al. 2021; Lueddecke & Ecker 2022",
        summary="cosine of every cell with the sentence in the encoders' shared space, decoded",
        pairings=("itm", "rerank", "all", "matched"),
        gives="grid",
    ),
}
