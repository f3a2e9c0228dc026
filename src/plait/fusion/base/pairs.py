"""What fusions share whose score needs both sides of every pair: work on one side first, then the meeting."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import ClassVar, Literal

from torch import Tensor, nn

from plait.core.types import Fused, Tokens

__all__ = ["PairFusion", "rows_of", "shared_rows"]


class PairFusion(nn.Module, ABC):
    """A fusion that reads a logit from a pair, cut where the sides first meet.

    Formula: fused(text, image) = meet(prepare(text, image)).

    Whoever scores many pairs of few texts and images prepares each row once and lets chosen rows meet: what depends on
    one side alone is then computed once a row, not once a pair. A subclass writes `meet` and, where there is one-sided
    work, `prepare`; it sets `shares_image` if `meet` spares work for pairs of one image. Pairs then come image by
    image, else by length of the text, so that little padding is fused.
    """

    reads: ClassVar[Literal["similarity", "logit"]] = "logit"
    shares_image: bool = False

    def prepare(self, text: Tokens, image: Tokens) -> tuple[Tokens, Tokens]:
        """Do what needs one side alone: (C, T, D) and (B, P, D) Tokens -> Tokens as `meet` wants them."""
        return text, image

    @abstractmethod
    def meet(
        self,
        text: Tokens,
        image: Tokens,
        *,
        text_row: Tensor | None = None,
        image_row: Tensor | None = None,
        maps: bool = False,
    ) -> Fused:
        """Fuse prepared sides: pair m is row text_row[m] with row image_row[m], or m with m where there are none.

        Shapes: text (C, ...), image (B, ...) as prepared; text_row, image_row (M,) int64, both or neither. Returns
        Fused of M pairs; a side that no pair changes may stay as it is, with its rows named (see `Fused`).
        """

    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Fuse aligned pairs; see the class."""
        return self.meet(*self.prepare(text, image), maps=maps)


def rows_of(tokens: Tokens, row: Tensor | None) -> Tokens:
    """Copy out the rows that take part, without columns that are padding in all of them; all rows if none are named.

    Shapes: Tokens (R, N, D), row (M,) int64 -> Tokens (M, N' <= N, D).
    """
    if row is None:
        return tokens
    taken = tokens.take(row)
    real = taken.valid.any(0).nonzero()
    last = int(real.max()) + 1 if len(real) else 1
    if last == taken.values.shape[1] or taken.grid is not None:
        return taken
    boxes = None if taken.boxes is None else taken.boxes[:, :last]
    return replace(taken, values=taken.values[:, :last], valid=taken.valid[:, :last], boxes=boxes)


def shared_rows(tokens: Tokens, row: Tensor) -> tuple[Tokens, Tensor]:
    """Keep only the rows that some pair names, each once, and renumber.

    Shapes: Tokens (R, N, D), row (M,) int64 -> Tokens (R' <= R, N' <= N, D) and (M,) int64 in [0, R').
    """
    used, renumbered = row.unique(return_inverse=True)
    return rows_of(tokens, None if len(used) == len(tokens) else used), renumbered
