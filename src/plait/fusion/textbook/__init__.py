"""The other designs of Park 2025, from which the ladder comes: attention, embeddings of pairs."""

from __future__ import annotations

from plait.core.tables import Entry

__all__ = ["TEXTBOOK"]

_PAPER = "Park 2025, Deep Learning DNA, sections 10.4.1-2"

TEXTBOOK: dict[str, Entry] = {
    "textbook/cross_modal_attention": Entry(
        target="plait.fusion.textbook.attention:CrossModalAttention",
        family="textbook",
        paper=_PAPER,
        summary="words attend to regions with several heads; no residual",
        pairings=("itm", "rerank", "all", "matched"),
        gives="pair",
    ),
    "textbook/hierarchical": Entry(
        target="plait.fusion.textbook.attention:HierarchicalAttention",
        family="textbook",
        paper=_PAPER,
        summary="each side attends to itself, then to the other; both are mixed to one vector",
        pairings=("itm", "rerank", "all", "matched"),
        gives="pair",
    ),
    "textbook/multimodal_embedding": Entry(
        target="plait.fusion.textbook.embedding:MultimodalEmbedding",
        family="textbook",
        paper=_PAPER,
        summary="a projection and a norm per side, compared: two towers",
        pairings=("all", "matched"),
        takes="pooled",
        gives="pair",
    ),
    "textbook/cross_modal_embedding": Entry(
        target="plait.fusion.textbook.embedding:CrossModalEmbedding",
        family="textbook",
        paper=_PAPER,
        summary="a projection and a norm per side, then hierarchical attention to one vector per pair",
        pairings=("itm", "rerank", "all", "matched"),
        gives="pair",
    ),
}
