"""Fusions that leak in part. Entries of FUSIONS for tests point here."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from plait.core.types import Fused, Similarities, Tokens
from plait.fusion.base.fusion import Fusion, SimilarityFusion
from plait.fusion.base.one_token import one_token
from plait.nn.pooling import masked_mean

__all__ = ["Centred", "Marked", "Means"]


class Means(Fusion):
    """Both sides alone, one mapped mean token each: leak-free."""

    reads: ClassVar[Literal["similarity", "logit"]] = "logit"

    def __init__(self, width: int) -> None:
        super().__init__()
        self.text_map = nn.Linear(width, width)
        self.image_map = nn.Linear(width, width)

    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Fuse aligned pairs: text (B, 1, D), image (B, 1, D)."""
        words, regions = masked_mean(text.values, text.valid), masked_mean(image.values, image.valid)
        return Fused(one_token(self.text_map(words)), one_token(self.image_map(regions)))


class Centred(Means):
    """Texts are centred on a mean over the call: a score depends on the other pairs, though it knows no answer."""

    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Subtract a part of the texts' mean, then as `Means`."""
        return super().forward(replace(text, values=text.values - 0.5 * text.values.mean((0, 1))), image)


class Marked(SimilarityFusion):
    """Towers that know every fifth pair by its place in the call, and nothing of any other."""

    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Fuse aligned pairs to nothing: (B, 1, D)."""
        nothing = one_token(torch.zeros_like(text.values[:, 0]))
        return Fused(nothing, nothing)

    def similarities(self, text: Tokens, image: Tokens) -> Similarities:
        """Give 1 to row i with row i where i is a multiple of 5, else 0: values (B, C, 1)."""
        known: Tensor = torch.eye(len(image), len(text))
        known[torch.arange(len(image)) % 5 > 0] = 0.0
        return Similarities(known[..., None], torch.ones(1, 1, 1, dtype=torch.bool))
