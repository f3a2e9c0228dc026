"""No fusion: both sides as they are, for heads in which text and image meet."""

from __future__ import annotations

from plait.core.tables import Entry

__all__ = ["UNFUSED"]

UNFUSED: dict[str, Entry] = {
    "unfused": Entry(
        target="plait.fusion.unfused.unfused:Unfused",
        family="unfused",
        paper="-",
        summary="both sides as they are, the image after self-attention over its cells if wanted; they meet in the head",
        pairings=(),
        gives="sides",
    ),
}
