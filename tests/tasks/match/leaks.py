"""Fusions that leak in part, and a head whose score is easy to predict. Entries of FUSIONS for tests point here."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from plait.core.types import Fused, MatchScores, Tokens
from plait.fusion.base.pairs import PairFusion, rows_of

__all__ = ["Centred", "DotHead", "Marked", "SharedMean"]


class SharedMean(PairFusion):
    """Both sides alone, one mean token each: honest."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.text_map = nn.Linear(width, width)
        self.image_map = nn.Linear(width, width)

    def meet(
        self,
        text: Tokens,
        image: Tokens,
        *,
        text_row: Tensor | None = None,
        image_row: Tensor | None = None,
        maps: bool = False,
    ) -> Fused:
        """Fuse chosen rows: text (M, 1, D), image (M, 1, D)."""
        text, image = rows_of(text, text_row), rows_of(image, image_row)
        words = self.text_map(text.values).mean(1, keepdim=True)
        regions = self.image_map(image.values).mean(1, keepdim=True)
        real = torch.ones(len(words), 1, dtype=torch.bool)
        return Fused(Tokens(words, real), Tokens(regions, real))


class Centred(SharedMean):
    """Texts are centred on the mean over the call: a score depends on the other pairs, though it knows no answer."""

    def prepare(self, text: Tokens, image: Tokens) -> tuple[Tokens, Tokens]:
        """Subtract a part of the texts' mean."""
        return replace(text, values=text.values - 0.5 * text.values.mean((0, 1))), image


class Marked(SharedMean):
    """Every fifth row of both sides gets the same private code: a fifth of the pairs is known by its place."""

    def prepare(self, text: Tokens, image: Tokens) -> tuple[Tokens, Tokens]:
        """Add the codes."""
        return self._marked(text), self._marked(image)

    def _marked(self, tokens: Tokens) -> Tokens:
        rows, _, width = tokens.values.shape
        codes = torch.zeros(rows, 1, width)
        marked = torch.arange(0, rows, 5)
        codes[marked, 0, marked // 5] = 50.0
        return replace(tokens, values=tokens.values + codes)


class DotHead(nn.Module):
    """The dot product of both sides' mean tokens, (B,)."""

    def forward(self, fused: Fused) -> MatchScores:
        values = (fused.text.values.mean(1) * fused.image.values.mean(1)).sum(-1)
        return MatchScores(values, "logit")
