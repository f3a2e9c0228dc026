"""Objectives: the losses that heads' outputs are trained with. The table says what each one takes."""

from __future__ import annotations

from plait.core.tables import Entry

__all__ = ["OBJECTIVES"]

OBJECTIVES: dict[str, Entry] = {
    "infonce": Entry(
        target="plait.objectives.contrastive:InfoNCE",
        family="contrastive",
        paper="van den Oord et al. 2018; Radford et al. 2021",
        summary="softmax over rows and columns with a learned, capped scale",
        takes="MatchScores",
    ),
    "sigmoid": Entry(
        target="plait.objectives.sigmoid:Sigmoid",
        family="contrastive",
        paper="Zhai et al. 2023",
        summary="binary cross-entropy of every image with every text, learned scale and bias",
        takes="MatchScores",
    ),
    "triplet": Entry(
        target="plait.objectives.triplet:Triplet",
        family="ranking",
        paper="Faghri et al. 2018",
        summary="margin against the hardest negative, after a warm-up on all of them",
        takes="MatchScores",
    ),
    "match": Entry(
        target="plait.objectives.match:Matching",
        family="matching",
        paper="Li et al. 2021; Li et al. 2022",
        summary="a contrast for the towers, binary cross-entropy for the fused head on mined negatives (pairing itm)",
        takes="MatchScores",
    ),
    "bce": Entry(
        target="plait.objectives.mask:MaskLoss",
        family="mask",
        paper="-",
        summary="cross-entropy of every cell of a mask",
        takes="MaskLogits",
    ),
    "bce_iou": Entry(
        target="plait.objectives.mask:MaskLoss",
        family="mask",
        paper="Rahman & Wang 2016",
        summary="cross-entropy of every cell and a soft intersection over union per image",
        options={"overlap": "iou"},
        takes="MaskLogits",
    ),
    "bce_dice": Entry(
        target="plait.objectives.mask:MaskLoss",
        family="mask",
        paper="Milletari et al. 2016",
        summary="cross-entropy of every cell and a soft Dice overlap per image",
        options={"overlap": "dice"},
        takes="MaskLogits",
    ),
    "focal": Entry(
        target="plait.objectives.mask:MaskLoss",
        family="mask",
        paper="Lin et al. 2017",
        summary="cross-entropy of every cell, damped where it is easy",
        options={"cells": "focal"},
        takes="MaskLogits",
    ),
    "next_word": Entry(
        target="plait.objectives.caption:NextWord",
        family="caption",
        paper="Vinyals et al. 2015; Xu et al. 2015",
        summary="cross-entropy of each next word, with the doubly stochastic term and scheduled sampling as options",
        takes="CaptionLogits",
    ),
    "class_cross_entropy": Entry(
        target="plait.objectives.classes:ClassCrossEntropy",
        family="classify",
        paper="Szegedy et al. 2016",
        summary="softmax over the classes, with label smoothing where it is wanted",
        takes="ClassLogits",
    ),
    "answer_ce": Entry(
        target="plait.objectives.answer:AnswerCrossEntropy",
        family="answer",
        paper="Antol et al. 2015",
        summary="softmax over the list of answers, the most common right answer as the target",
        takes="AnswerLogits",
    ),
    "answer_bce": Entry(
        target="plait.objectives.answer:AnswerBinary",
        family="answer",
        paper="Teney et al. 2018",
        summary="binary cross-entropy of every answer, its soft score as the target",
        takes="AnswerLogits",
    ),
}
