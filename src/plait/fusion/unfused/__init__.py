"""No fusion: both sides as they are, for heads in which text and image meet."""

from __future__ import annotations

from plait.core.tables import Entry

__all__ = ["UNFUSED"]

UNFUSED: dict[str, Entry] = {
    "unfused": Entry(
        target="plait.fusion.unfused.unfused:Unfused",
        family="unfused",
        paper="-",
        summary="both sides as they are, for heads in which they meet; self-attention over the image is an option",
        pairings=(),
        gives="sides",
    ),
}
