"""What is explained: one number of a model's answer to one text and one image, as a function of their tokens.

A task's predictor gives a `Subject`; the methods of `plait.explain.methods` and `plait.explain.faithfulness` take it
and know no task.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from plait.core.errors import ShapeError
from plait.core.types import AttentionMap, Tokens
from plait.explain.attention import merge_pieces
from plait.model import FusionModel

__all__ = ["Scored", "Subject", "shuffled_weights"]

Shuffled = TypeVar("Shuffled", bound=nn.Module)
# So many token vectors are scored at once.
TOKENS_AT_ONCE = 16_384


@dataclass(frozen=True)
class Scored:
    """The number that is explained, for aligned pairs.

    Fields:
        values: (B,) float, higher = more of it; its gradient reaches both sides' tokens
        maps:   the attention maps of the same computation, where they were requested
    """

    values: Tensor
    maps: tuple[AttentionMap, ...] = ()


# (model, text Tokens (B, T, D), image Tokens (B, P, D), whether maps are wanted) -> the number of each aligned pair
Score = Callable[[FusionModel, Tokens, Tokens, bool], Scored]


@dataclass(frozen=True, eq=False)
class Subject:
    """One answer, ready to be explained.

    Fields:
        model:  encoders, fusion and head, in eval mode
        score:  the number of the answer; see `Score`
        text:   Tokens (1, T, D), float32
        image:  Tokens (1, P, D), float32, on a grid
        pieces: the printable piece of each text token; empty where the answer depends on no word
        what:   what the number is, in words: "log-odds of the match"
    """

    model: FusionModel
    score: Score
    text: Tokens
    image: Tokens
    pieces: tuple[str, ...]
    what: str

    def __post_init__(self) -> None:
        if len(self.text) != 1 or len(self.image) != 1 or self.image.grid is None:
            raise ShapeError(
                f"explained is one text and one image on a grid; got {len(self.text)} texts, {len(self.image)} images "
                f"and grid {self.image.grid}"
            )

    @property
    def grid(self) -> tuple[int, int]:
        """Give (h, w) of the image's cells."""
        if self.image.grid is None:
            raise ShapeError("expected image tokens on a grid, got none")
        return self.image.grid

    @property
    def words(self) -> tuple[str, ...]:
        """Give the text's words."""
        return merge_pieces(self.pieces)[0]

    def scored(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Scored:
        """Give the number of aligned pairs, text row i with image row i."""
        return self.score(self.model, text, image, maps)

    @torch.no_grad()
    def values(self, text: Tokens, image: Tokens) -> Tensor:
        """Give the number of aligned pairs in chunks, without gradients: (B,) float32 in main memory.

        One row of a side serves all rows of the other.
        """
        rows = max(len(text), len(image))
        step = max(1, TOKENS_AT_ONCE // (text.values.shape[1] + image.values.shape[1]))
        found = []
        for start in range(0, rows, step):
            index = torch.arange(start, min(start + step, rows), device=image.values.device)
            some = [side.take(index if len(side) > 1 else torch.zeros_like(index)) for side in (text, image)]
            found.append(self.scored(some[0], some[1]).values.float().cpu())
        return torch.cat(found)

    def without_words(self) -> Tokens:
        """Give the text once per word, without that word: Tokens (W, T, D).

        A word's tokens become padding; where no other token is left, they become zeros, because a text of nothing has
        no meaning to most fusions.
        """
        members = merge_pieces(self.pieces)[1]
        valid = self.text.valid.repeat(len(members), 1)
        values = self.text.values.repeat(len(members), 1, 1)
        for row, places in enumerate(members):
            kept = valid[row].clone()
            kept[list(places)] = False
            if kept.any():
                valid[row] = kept
            else:
                values[row, list(places)] = 0.0
        return replace(self.text, values=values, valid=valid, pooled=None, boxes=None, levels=())

    def with_shuffled_weights(self, seed: int) -> Subject:
        """Give the same subject under a model whose fusion and head have learned nothing; see `shuffled_weights`."""
        model = copy.deepcopy(self.model)
        model.fusion, model.head = shuffled_weights(model.fusion, seed), shuffled_weights(model.head, seed)
        return replace(self, model=model)


@torch.no_grad()
def shuffled_weights(module: Shuffled, seed: int) -> Shuffled:
    """Give a copy of a module in which the entries of each parameter are in random order.

    Every parameter keeps its distribution and loses what it learned, whatever the module's own way of drawing weights.
    """
    found = copy.deepcopy(module)
    generator = torch.Generator().manual_seed(seed)
    for parameter in found.parameters():
        order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
        parameter.copy_(parameter.flatten()[order].view_as(parameter))
    return found
