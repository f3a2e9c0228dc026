"""Single stream: self-attention over the tokens of both sides together."""

from __future__ import annotations

from plait.core.tables import Entry

__all__ = ["SINGLE_STREAM"]

SINGLE_STREAM: dict[str, Entry] = {
    "concat": Entry(
        target="plait.fusion.single_stream.concat:ConcatFusion",
        family="one stream",
        paper="Li et al. 2019; Chen et al. 2020",
        summary="joint self-attention over text and image tokens together",
        pairings=("itm", "rerank", "all", "matched"),
        gives="grid",
    ),
}
