"""The four other designs of the ladder's chapter: two attentions, a two-tower, and an embedding of the pair."""

from __future__ import annotations

from plait.core.tables import Entry

__all__ = ["DESIGNS"]

_PAPER = "Multimodal Deep Learning, sections 10.4.1-2 (dldna)"

DESIGNS: dict[str, Entry] = {
    "textbook/cross_modal_attention": Entry(
        target="plait.fusion.textbook.attention:CrossModalAttention",
        family="textbook",
        paper=_PAPER,
        summary="words read regions by multi-head attention; nothing of a word is added",
        pairings=("itm", "all", "matched"),
        gives="pair",
    ),
    "textbook/hierarchical": Entry(
        target="plait.fusion.textbook.attention:HierarchicalAttention",
        family="textbook",
        paper=_PAPER,
        summary="each side attends to itself, then to the other; both are mixed to one vector",
        pairings=("itm", "all", "matched"),
        gives="pair",
    ),
    "textbook/multimodal_embedding": Entry(
        target="plait.fusion.textbook.embedding:MultimodalEmbedding",
        family="textbook",
        paper=_PAPER,
        summary="a projection and a norm a side, compared: a two-tower",
        pairings=("all", "matched"),
        takes="pooled",
        gives="pair",
    ),
    "textbook/cross_modal_embedding": Entry(
        target="plait.fusion.textbook.embedding:CrossModalEmbedding",
        family="textbook",
        paper=_PAPER,
        summary="the two-tower's sides through hierarchical attention, to one vector a pair",
        pairings=("itm", "all", "matched"),
        gives="pair",
    ),
}
