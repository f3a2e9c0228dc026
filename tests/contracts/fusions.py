"""Every fusion that a task can use, with the options that change how it computes, and random tokens to fuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from plait.core.tables import load_entry
from plait.core.types import Level, Tokens
from plait.fusion import FUSIONS
from plait.fusion.base.fusion import Fusion
from plait.heads import HEADS
from plait.heads.base import MaskHead, MatchHead
from plait.tasks import find_task

__all__ = [
    "GRID",
    "ROWS",
    "SKIP",
    "WIDTH",
    "WORDS",
    "all_pairs",
    "cases",
    "label",
    "make",
    "mask_head",
    "match_head",
    "sides",
]

WIDTH, ROWS, WORDS, GRID, SKIP = 16, 4, 5, (2, 3), 6

Case = tuple[str, dict[str, Any]]


def cases(task: str) -> list[Case]:
    """List the fusions that serve a task, each with its defaults and with the options that its class wants tested."""
    serves = find_task(task).serves
    names = [name for name, entry in FUSIONS.items() if serves("fusion", entry)]
    return [(name, dict(options)) for name in names for options in ({}, *target(name).tested_options)]


def label(case: Case) -> str:
    """Name a case in the list of tests."""
    name, options = case
    return name + "".join(f"-{key}={value}" for key, value in options.items())


def target(name: str) -> type[Fusion]:
    """Give a fusion's class."""
    found = load_entry(FUSIONS[name])
    assert isinstance(found, type)
    assert issubclass(found, Fusion)
    return found


def make(case: Case, *, seed: int = 0) -> Fusion:
    """Make a fusion in eval mode."""
    torch.manual_seed(seed)
    name, options = case
    make_it: Callable[..., Fusion] = target(name)
    return make_it(WIDTH, **{**(FUSIONS[name].options or {}), **options}).eval()


def match_head(fusion: Fusion, **options: Any) -> MatchHead:
    """Make the head that reads the fusion in matching, in eval mode."""
    made = load_entry(HEADS[fusion.reads])
    head: MatchHead = made(WIDTH, **options) if fusion.reads == "logit" else made(**options)
    return head.eval()


def mask_head(name: str) -> MaskHead:
    """Make the decoder that reads the fusion in masks, in eval mode: by what the table says that it gives."""
    if FUSIONS[name].gives == "vector":
        vector: MaskHead = load_entry(HEADS["vector"])(WIDTH, channels=8, side=56)
        return vector.eval()
    spatial: MaskHead = load_entry(HEADS["spatial"])(WIDTH, skips=(SKIP,))
    return spatial.eval()


def sides(rows: int = ROWS, *, ragged: bool = True, grid: bool = True, seed: int = 1) -> tuple[Tokens, Tokens]:
    """Give random text and image tokens; ragged ones have padding in both. On a grid, images have one finer level."""
    generator = torch.Generator().manual_seed(seed)
    regions = GRID[0] * GRID[1]
    text = torch.randn(rows, WORDS, WIDTH, generator=generator)
    image = torch.randn(rows, regions, WIDTH, generator=generator)
    text_valid, image_valid = torch.ones(rows, WORDS).bool(), torch.ones(rows, regions).bool()
    if ragged:
        for row in range(rows):
            text_valid[row, WORDS - row % 3 :] = False
            image_valid[row, regions - row % 2 :] = False
    summaries = torch.randn(2, rows, WIDTH, generator=generator)
    level = Level(torch.randn(rows, 4 * regions, SKIP, generator=generator), (2 * GRID[0], 2 * GRID[1]))
    return (
        Tokens(text, text_valid, pooled=summaries[0].clone()),
        Tokens(
            image,
            image_valid,
            GRID if grid else None,
            pooled=summaries[1].clone(),
            levels=(level,) if grid else (),
        ),
    )


def all_pairs(fusion: Fusion, head: MatchHead, text: Tokens, image: Tokens) -> Tensor:
    """Score every image (rows) with every caption (columns) by fusing every pair."""
    image_row = torch.arange(len(image)).repeat_interleave(len(text))
    text_row = torch.arange(len(text)).repeat(len(image))
    scores: Tensor = head(fusion(text.take(text_row), image.take(image_row))).values
    return scores.view(len(image), len(text))
