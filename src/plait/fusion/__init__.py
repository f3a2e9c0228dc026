"""Fusions of text and image tokens. One folder with a table per family, one file per mechanism."""

from __future__ import annotations

from collections.abc import Mapping

from plait.core.tables import Entry
from plait.fusion.bilinear import BILINEAR
from plait.fusion.control import CONTROL
from plait.fusion.cross import CROSS
from plait.fusion.gated import GATED
from plait.fusion.ladder import LADDER
from plait.fusion.single_stream import SINGLE_STREAM
from plait.fusion.stacked import STACKED
from plait.fusion.textbook import TEXTBOOK
from plait.fusion.two_tower import TWO_TOWER

__all__ = ["FUSIONS"]

# The first names of every list, in the order that earlier versions had; other names follow, family by family.
_FIRST = (
    "late",
    "product",
    "concat",
    "cross",
    "scan_t2i",
    "scan_i2t",
    "scan",
    "max_sim",
    "film",
    "pixel_word",
    "self_cross",
    "self_cross_printed",
    "correlation",
    "grid_product",
    "image_only",
    "clip_dense",
)


def _merged(*families: Mapping[str, Entry]) -> dict[str, Entry]:
    found = {name: entry for family in families for name, entry in family.items()}
    return {name: found[name] for name in (*_FIRST, *(name for name in found if name not in _FIRST))}


FUSIONS: dict[str, Entry] = _merged(
    TWO_TOWER, BILINEAR, SINGLE_STREAM, CROSS, STACKED, GATED, CONTROL, LADDER, TEXTBOOK
)
