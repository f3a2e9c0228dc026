"""Pairing "matched": each image is fused with its own caption before pairs are compared. Leaky."""

from __future__ import annotations

from typing import ClassVar, Self

import torch
from torch import Tensor

from plait.build import make_head
from plait.core.config import Recipe
from plait.core.errors import ConfigError
from plait.core.types import Loss, Tokens
from plait.model import FusionModel, Side
from plait.objectives.base import Contrast
from plait.task import Progress
from plait.tasks.match.pairings.base import Pairing
from plait.tasks.match.parts import make_contrast, make_model
from plait.tasks.match.score import (
    CAPTIONS_PER_CHUNK,
    FullScores,
    SplitScores,
    compare_sides,
    fused_sides,
    shortened,
)

__all__ = ["Matched"]


class Matched(Pairing):
    """Score aligned rows by the protocol of some published tables: fuse each pair first, compare pairs afterwards.

    Formula: with (t_i, v_i) the mean tokens of fuse(text i, image i), s[i, j] = cos(v_i, t_j).

    This is leaky: v_i depends on text i and t_i on image i, so a pair is known to belong together before it is scored,
    and the diagonal can be the largest although nothing was learned. It serves to reproduce published tables only.
    """

    flags: ClassVar[tuple[str, ...]] = ("leaky",)
    outputs: ClassVar[tuple[str, ...]] = ("image_out", "text_out")

    objective: Contrast

    def __init__(self, model: FusionModel, objective: Contrast) -> None:
        super().__init__(model, objective)

    @classmethod
    def build(cls, recipe: Recipe, text: Side, image: Side) -> Self:
        """Make the parts of a recipe; see `Pairing.build`. The head compares the two sides of a fused pair."""
        return cls(make_model(recipe, text, image, head=make_head("pair", {})), make_contrast(recipe))

    def loss_of(self, text: Tokens, image: Tokens, group: Tensor, *, image_row: Tensor | None = None) -> Loss:
        """Give the objective's loss of fused pairs; see `Pairing.loss_of`."""
        own = image.take(self._image_row(text, image_row))
        loss: Loss = self.objective(compare_sides(*fused_sides(self.model, text, own)), group)
        return loss

    @torch.no_grad()
    def split(
        self, text: Tokens, image: Tokens, *, own: Tensor | None = None, progress: Progress | None = None
    ) -> SplitScores:
        """Score a split; see `Pairing.split`.

        Every caption is fused with its own image, which gives a (C, C) matrix over captions: row r is the image of
        caption r after it was fused with caption r. Metrics want one row per image, so each image is taken as it was
        fused with its first caption; an image without captions scores 0.

        Raises:
            ConfigError: `own` is missing.
        """
        if own is None:
            raise _unpaired()
        texts, images = [], []
        for rows in torch.arange(len(text), device=own.device).split(CAPTIONS_PER_CHUNK):
            sides = fused_sides(self.model, shortened(text.take(rows)), image.take(own[rows]), exact=True)
            texts.append(sides[0])
            images.append(sides[1])
            if progress is not None:
                progress(int(rows[-1]) + 1, len(text))
        first = torch.full((len(image),), len(text), dtype=torch.int64, device=own.device)
        first.scatter_reduce_(0, own, torch.arange(len(text), device=own.device), "amin")
        has_caption = first < len(text)
        found = compare_sides(torch.cat(texts), torch.cat(images)[first[has_caption]], exact=True)
        scores = found.new_zeros(len(image), len(text))
        scores[has_caption] = found
        return SplitScores(scores, scores, "cosine of matched pairs", flags=self.flags)

    def full(self, text: Tokens, image: Tokens) -> FullScores:
        """Refuse: without knowing which texts and images belong together this pairing scores nothing.

        Raises:
            ConfigError: always.
        """
        raise _unpaired()

    @torch.no_grad()
    def pairs(self, text: Tokens, image: Tokens) -> Tensor:
        """Give the cosine of each fused pair's two sides, (M,): the diagonal of the matrix; see `Pairing.pairs`."""
        return self.fused_pairs(text, image)

    def aligned(self, text: Tokens, image: Tokens) -> Tensor:
        """Score aligned rows among themselves, (N, N); see `Pairing.aligned`."""
        return self.split(text, image, own=self._image_row(text, None)).text_to_image

    def aligned_log_odds(self, text: Tokens, image: Tokens) -> Tensor:
        """Give the scaled cosines of aligned rows among themselves, (N, N); see `Pairing.aligned_log_odds`."""
        return self.scale * self.fused(text, image)

    def choices(self, text: Tokens, image: Tokens) -> Tensor:
        """Fuse the image with each text and give the scaled cosines of each pair's sides, (K,); see `Pairing`."""
        return self.aligned_log_odds(text, image.take(torch.zeros_like(self._image_row(text, None)))).diagonal()

    @torch.no_grad()
    def fused(self, text: Tokens, image: Tokens) -> Tensor:
        """Score aligned rows among themselves, (N, N); see `Pairing.fused`."""
        return compare_sides(*fused_sides(self.model, text, image, exact=True), exact=True)

    @property
    def expands_pairs(self) -> bool:
        """Whether scoring n texts with n images takes n * n fusions: here it takes n."""
        return False


def _unpaired() -> ConfigError:
    return ConfigError(
        "this model was trained with pairing 'matched', which fuses each image with its own caption before it compares "
        "them: without knowing which belong together it scores nothing. It can be evaluated on a split, where its "
        "numbers are leaky; to match images with texts, train with pairing 'itm' or 'all'"
    )
