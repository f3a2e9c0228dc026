"""Controls: fusions that a comparison needs beside the ones it compares."""

from __future__ import annotations

from plait.core.tables import Entry

__all__ = ["CONTROL"]

CONTROL: dict[str, Entry] = {
    "image_only": Entry(
        target="plait.fusion.control.image_only:ImageOnlyFusion",
        family="control",
        paper="-",
        summary="trained without the text: how good a mask can be that depends on no word",
        pairings=(),
        gives="grid",
    ),
    "image_as_is": Entry(
        target="plait.fusion.control.image_as_is:ImageAsIsFusion",
        family="control",
        paper="Alain & Bengio 2016",
        summary="nothing fused and nothing learned: what a head finds in the image encoder's own tokens or summary",
        pairings=(),
        gives="image",
    ),
    "text_only": Entry(
        target="plait.fusion.control.text_only:TextOnlyFusion",
        family="control",
        paper="Antol et al. 2015",
        summary="trained without the image: how many answers a question alone gives away",
        pairings=(),
        gives="pair",
    ),
}
