"""Fuse chosen pairs of texts and images: what needs one side alone is done once per row, not once per pair."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from plait.core.types import Fused, Tokens
from plait.fusion.base.fusion import Fusion, SimilarityFusion
from plait.fusion.base.prepared import Parts, Prepared
from plait.fusion.base.rows import rows_of, shared_rows

__all__ = ["PairFusion", "fuse_in_chunks", "fuse_pairs", "rows_of", "shared_rows"]

# One chunk of pairs may hold this many token vectors: bounds memory in scoring, and few chunks share rows. Speed was
# the same from a quarter of it to thirty times as many.
TOKENS_PER_CHUNK = 32_768
# Where every pair gets copies of its own: small chunks of like length hold little padding and stay in the cache.
COPIED_TOKENS_PER_CHUNK = 8_192

TextParts = TypeVar("TextParts", bound=Parts)
ImageParts = TypeVar("ImageParts", bound=Parts)


class PairFusion(Fusion, Generic[TextParts, ImageParts]):
    """A fusion with one-sided work, cut where the formula first combines the sides.

    Formula: fused(text, image) = meet(prepare_text(text), prepare_image(image)).

    Many pairs of few texts and images then cost the one-sided work once per text and once per image (`fuse_pairs`,
    `fuse_in_chunks`). A subclass writes the three methods, and a frozen dataclass of tensors for what it prepares of a
    side (`Parts`; `Values` where that is token vectors alone).

    Attributes:
        shares_image:      `meet` saves work where pairs of one image come together: pairs then come image by image,
                           else by length of the text, so that little padding is fused
        takes_shared_rows: `meet` reads `Prepared.row` itself, to do work once for all pairs that share a row; all
                           others are given aligned rows
    """

    shares_image: bool = False
    takes_shared_rows: ClassVar[bool] = False

    @abstractmethod
    def prepare_text(self, text: Tokens) -> Prepared[TextParts]:
        """Do what needs the text (C, T, D) alone."""

    @abstractmethod
    def prepare_image(self, image: Tokens) -> Prepared[ImageParts]:
        """Do what needs the image (B, P, D) alone."""

    @abstractmethod
    def meet(self, text: Prepared[TextParts], image: Prepared[ImageParts], *, maps: bool = False) -> Fused:
        """Fuse M prepared pairs; attention maps only when requested.

        With `takes_shared_rows`, a side that no pair changes may stay as it is, its rows named (see `Fused`).
        """

    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Fuse aligned pairs, row i (B, T, D) with row i (B, P, D); see the class."""
        return self.meet(self.prepare_text(text), self.prepare_image(image), maps=maps)


def fuse_pairs(
    fusion: Fusion, text: Tokens, image: Tokens, *, text_row: Tensor, image_row: Tensor, maps: bool = False
) -> Fused:
    """Fuse pair m of text row text_row[m] with image row image_row[m], all at once, one row per pair in what comes out.

    Shapes: text Tokens (C, T, D), image Tokens (B, P, D), text_row and image_row (M,) int64 -> Fused of M pairs.
    """
    if not isinstance(fusion, PairFusion):
        plain: Fused = fusion(rows_of(text, text_row), rows_of(image, image_row), maps=maps)
        return plain
    fused = _meet(fusion, fusion.prepare_text(text), fusion.prepare_image(image), text_row, image_row, maps)
    words = fused.text if fused.text_row is None else fused.text.take(fused.text_row)
    regions = fused.image if fused.image_row is None else fused.image.take(fused.image_row)
    return Fused(words, regions, fused.maps)


def fuse_in_chunks(
    fusion: Fusion, text: Tokens, image: Tokens, *, text_row: Tensor, image_row: Tensor
) -> Iterator[tuple[Tensor, Fused]]:
    """Fuse chosen pairs in chunks of bounded memory, in an order that saves work; see `PairFusion`.

    Shapes: as `fuse_pairs`; yields places (m,) int64 in [0, M) and the Fused of those pairs, every place once.
    """
    if isinstance(fusion, SimilarityFusion):  # few pairs are chosen where an algebra scores them all
        step = TOKENS_PER_CHUNK // (text.valid.shape[1] + image.valid.shape[1])
        for chunk in torch.arange(len(text_row), device=text_row.device).split(max(1, step)):
            yield chunk, fusion(rows_of(text, text_row[chunk]), image.take(image_row[chunk]))
        return
    text, text_row = shared_rows(text, text_row)
    image, image_row = shared_rows(image, image_row)
    if isinstance(fusion, PairFusion):
        words, regions = fusion.prepare_text(text), fusion.prepare_image(image)
        by_image = image_row if fusion.shares_image else None
        for chunk in _chunks(words.valid, regions.valid, text_row, by_image):
            yield chunk, _meet(fusion, words, regions, text_row[chunk], image_row[chunk])
    else:
        for chunk in _chunks(text.valid, image.valid, text_row, None):
            yield chunk, fusion(rows_of(text, text_row[chunk]), rows_of(image, image_row[chunk]))


def _chunks(text_valid: Tensor, image_valid: Tensor, text_row: Tensor, by_image: Tensor | None) -> tuple[Tensor, ...]:
    """Cut the places of M pairs into chunks: in order of the image rows `by_image` (M,), else of the texts' lengths."""
    tokens_per_pair = text_valid.shape[1] + image_valid.shape[1]
    if by_image is not None:
        order, step = by_image.argsort(stable=True), TOKENS_PER_CHUNK // tokens_per_pair
    else:
        order = text_valid.sum(1)[text_row].argsort(stable=True)
        step = COPIED_TOKENS_PER_CHUNK // tokens_per_pair
    return order.split(max(1, step))


def _meet(
    fusion: PairFusion[TextParts, ImageParts],
    text: Prepared[TextParts],
    image: Prepared[ImageParts],
    text_row: Tensor,
    image_row: Tensor,
    maps: bool = False,
) -> Fused:
    """Fuse chosen rows, aligned unless the fusion reads shared rows itself."""
    text, image = text.with_rows(text_row), image.with_rows(image_row)
    if not fusion.takes_shared_rows:
        text, image = text.aligned(), image.aligned()
    return fusion.meet(text, image, maps=maps)
