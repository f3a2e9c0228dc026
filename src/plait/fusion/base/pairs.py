"""What fusions share whose score needs both sides of every pair: work on one side first, then the meeting."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from plait.core.types import Fused, Tokens
from plait.fusion.base.fusion import Fusion

__all__ = ["PairFusion", "fuse_in_chunks", "fuse_pairs", "rows_of", "shared_rows"]

# One chunk of pairs may hold this many token vectors: bounds memory in scoring, and few chunks share rows. Speed was
# the same from a quarter of it to thirty times as many.
TOKENS_PER_CHUNK = 32_768
# Where every pair gets copies of its own: small chunks of like length hold little padding and stay in the cache.
COPIED_TOKENS_PER_CHUNK = 8_192


class PairFusion(Fusion):
    """A fusion that reads a logit from a pair, cut where the sides first meet.

    Formula: fused(text, image) = meet(prepare(text, image)).

    Whoever scores many pairs of few texts and images prepares each row once and lets chosen rows meet: what depends on
    one side alone is then computed once a row, not once a pair. A subclass writes `meet` and, where there is one-sided
    work, `prepare`; it sets `shares_image` if `meet` spares work for pairs of one image. Pairs then come image by
    image, else by length of the text, so that little padding is fused.
    """

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


def fuse_pairs(
    fusion: Fusion, text: Tokens, image: Tokens, *, text_row: Tensor, image_row: Tensor, maps: bool = False
) -> Fused:
    """Fuse pair m of text row text_row[m] with image row image_row[m], all at once, one row per pair in what comes out.

    Shapes: text Tokens (C, T, D), image Tokens (B, P, D), text_row and image_row (M,) int64 -> Fused of M pairs.
    """
    if not isinstance(fusion, PairFusion):
        fused: Fused = fusion(text.take(text_row), image.take(image_row), maps=maps)
        return fused
    fused = fusion.meet(*fusion.prepare(text, image), text_row=text_row, image_row=image_row, maps=maps)
    words = fused.text if fused.text_row is None else fused.text.take(fused.text_row)
    regions = fused.image if fused.image_row is None else fused.image.take(fused.image_row)
    return Fused(words, regions, fused.maps)


def fuse_in_chunks(
    fusion: Fusion, text: Tokens, image: Tokens, *, text_row: Tensor, image_row: Tensor
) -> Iterator[tuple[Tensor, Fused]]:
    """Fuse chosen pairs in chunks of bounded memory, in an order that spares work; see `PairFusion`.

    Shapes: as `fuse_pairs`; yields places (m,) int64 in [0, M) and the Fused of those pairs, every place once.
    """
    if not isinstance(fusion, PairFusion):
        step = max(1, TOKENS_PER_CHUNK // (text.values.shape[1] + image.values.shape[1]))
        places = torch.arange(len(text_row), device=text_row.device)
        for chunk in places.split(step):
            yield chunk, fusion(rows_of(text, text_row[chunk]), image.take(image_row[chunk]))
        return
    text, text_row = shared_rows(text, text_row)
    image, image_row = shared_rows(image, image_row)
    text, image = fusion.prepare(text, image)
    tokens_per_pair = text.values.shape[1] + image.values.shape[1]
    if fusion.shares_image:
        order, step = image_row.argsort(stable=True), TOKENS_PER_CHUNK // tokens_per_pair
    else:
        lengths = text.valid.sum(1)[text_row]
        order, step = lengths.argsort(stable=True), COPIED_TOKENS_PER_CHUNK // tokens_per_pair
    for chunk in order.split(max(1, step)):
        yield chunk, fusion.meet(text, image, text_row=text_row[chunk], image_row=image_row[chunk])
