"""Heads: how an answer is read from fused tokens. A fusion's `reads` names the head it is made for."""

from __future__ import annotations

from plait.core.tables import Entry

__all__ = ["HEADS"]

HEADS: dict[str, Entry] = {
    "similarity": Entry(
        target="plait.heads.match:SimilarityHead",
        family="match",
        paper="Lee et al. 2018",
        summary="cosine of tokens aligned by the fusion, pooled over queries",
    ),
    "logit": Entry(
        target="plait.heads.match:LogitHead",
        family="match",
        paper="Li et al. 2021",
        summary="a small network on both pooled sides: one match logit",
    ),
    "pair": Entry(
        target="plait.heads.pair:PairCosineHead",
        family="match",
        paper="-",
        summary='cosine of a fused pair\'s two sides: the reader of the leaky pairing "matched"',
    ),
}
