"""Heads: fused tokens in, an answer out. A fusion's `reads` names the head it is made for."""

from __future__ import annotations

from plait.core.tables import Entry
from plait.heads.caption import CAPTION_HEADS

__all__ = ["HEADS"]

HEADS: dict[str, Entry] = {
    "similarity": Entry(
        target="plait.heads.match:SimilarityHead",
        family="match",
        paper="Lee et al. 2018",
        summary="cosine of tokens aligned by the fusion, pooled over queries",
        gives="MatchScores",
    ),
    "logit": Entry(
        target="plait.heads.match:LogitHead",
        family="match",
        paper="Li et al. 2021",
        summary="a small network on both pooled sides: one match logit",
        gives="MatchScores",
    ),
    "compare": Entry(
        target="plait.heads.compare:CompareHead",
        family="match",
        paper="Mou et al. 2016; Conneau et al. 2017",
        summary="a small network on both pooled sides, their product, difference and cosine: one match logit",
        gives="MatchScores",
    ),
    "pair": Entry(
        target="plait.heads.pair:PairCosineHead",
        family="match",
        paper="-",
        summary='cosine of a fused pair\'s two sides: the head of the leaky pairing "matched"',
        gives="MatchScores",
    ),
    "spatial": Entry(
        target="plait.heads.mask:SpatialDecoder",
        family="mask",
        paper="Lin et al. 2017; Ronneberger et al. 2015",
        summary="the fused grid to a mask, coarse to fine, with the image encoder's finer levels",
        gives="MaskLogits",
    ),
    "vector": Entry(
        target="plait.heads.mask:VectorDecoder",
        family="mask",
        paper="Anumula et al., masks from instructions",
        summary="seven transposed convolutions from one vector to 224 x 224: a baseline",
        gives="MaskLogits",
    ),
    **CAPTION_HEADS,
    "class": Entry(
        target="plait.heads.classes:ClassHead",
        family="classify",
        paper="Alain & Bengio 2016",
        summary="the image's pooled tokens to one logit per class, by one matrix or a small network",
        gives="ClassLogits",
    ),
    "answer": Entry(
        target="plait.heads.answer:AnswerHead",
        family="answer",
        paper="Antol et al. 2015",
        summary="a small network on both pooled sides: one logit per answer of a list",
        gives="AnswerLogits",
    ),
}
