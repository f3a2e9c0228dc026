"""Fusions made to fail one check each, and a model to hold them."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from plait.core.types import AttentionMap, EncoderParts, Fused, ImageSpec, MatchScores, Tokens
from plait.encoders.adapters import Adapter
from plait.fusion.base.pairs import PairFusion, rows_of
from plait.heads.pair import PairCosineHead
from plait.model import FusionModel, Side

WIDTH = 8
SPEC = ImageSpec(1, (0.0,) * 3, (1.0,) * 3)


class Toy(PairFusion):
    """What each side becomes is a function of both mean tokens; a subclass says which."""

    reads: ClassVar = "logit"

    def __init__(self) -> None:
        super().__init__()
        self.text_map = nn.Linear(WIDTH, WIDTH)
        self.image_map = nn.Linear(WIDTH, WIDTH)

    def sides(self, text: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        return self.text_map(text), self.image_map(image)

    def meet(
        self,
        text: Tokens,
        image: Tokens,
        *,
        text_row: Tensor | None = None,
        image_row: Tensor | None = None,
        maps: bool = False,
    ) -> Fused:
        text, image = rows_of(text, text_row), rows_of(image, image_row)
        t, i = text.values.mean(1), image.values.mean(1)
        text_out, image_out = self.sides(t, i)
        real = torch.ones(len(t), 1, dtype=torch.bool)
        shown = AttentionMap(torch.ones(len(t), 1, text.values.shape[1], image.values.shape[1]), "text", "image")
        return Fused(Tokens(text_out[:, None], real), Tokens(image_out[:, None], real), (shown,) if maps else ())


class Towers(Toy):
    """Each side alone: nothing to find in noise."""


class Sum(Toy):
    """Both sides become their sum: the leak."""

    def sides(self, text: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        return text + image, text + image


class TextOnly(Toy):
    """Both sides come from the text: the image is ignored."""

    def sides(self, text: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        return self.text_map(text), self.text_map(text)


class Idle(Toy):
    """Half of one matrix and all of a bias are never used."""

    def __init__(self) -> None:
        super().__init__()
        self.packed = nn.Parameter(torch.randn(2 * WIDTH, WIDTH))
        self.idle = nn.Parameter(torch.zeros(3))

    def sides(self, text: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        return text @ self.packed[:WIDTH].T, self.image_map(image)


class DotHead(nn.Module):
    """The dot product of both sides' mean tokens."""

    def forward(self, fused: Fused) -> MatchScores:
        values = (fused.text.values.mean(1) * fused.image.values.mean(1)).sum(-1)
        return MatchScores(values, "logit")


def model_of(fusion: nn.Module, pairing: str = "matched") -> FusionModel:
    """Put a fusion into a model whose sides pass tokens through."""
    parts = EncoderParts(None, None, WIDTH, WIDTH, SPEC, "toy")
    head = PairCosineHead() if pairing == "matched" else DotHead()
    sides = [Side(parts, Adapter()) for _ in range(2)]
    return FusionModel(sides[0], sides[1], fusion=fusion, head=head, pairing=pairing).eval()


def noise(rows: int = 12, count: int = 3, seed: int = 0) -> tuple[Tokens, Tokens]:
    """Give independent tokens for both sides."""
    random = torch.Generator().manual_seed(seed)

    def side() -> Tokens:
        return Tokens(torch.randn(rows, count, WIDTH, generator=random), torch.ones(rows, count, dtype=torch.bool))

    return side(), side()
