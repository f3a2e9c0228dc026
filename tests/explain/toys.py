"""A subject whose answer is known: the similarity of one word with one cell of an image."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from plait.core.types import AttentionMap, EncoderParts, Fused, ImageSpec, Tokens
from plait.encoders.adapters import Adapter
from plait.explain.subject import Scored, Subject
from plait.fusion.base.fusion import Fusion
from plait.model import FusionModel, Side
from plait.nn.attention import attention_weights

__all__ = ["GRID", "PIECES", "SPOT", "known_subject"]

GRID = (4, 5)
CELLS = GRID[0] * GRID[1]
# The cell that shows what the word "dog" means, and the pieces of the text.
SPOT = 13
PIECES = ("[CLS]", "a", "dog", "[SEP]")
WIDTH = 8


class Looking(Fusion):
    """Words attend to cells; the score reads what the words took."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(6.0))

    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        words, cells = self.scale * text.values[:, None], image.values[:, None]
        weights = attention_weights(words, cells, image.valid)
        taken = (weights @ cells)[:, 0]
        shown = (AttentionMap(weights, "text", "image"),) if maps else ()
        return Fused(Tokens(taken, text.valid), image, shown)


class Reading(nn.Module):
    """The sum over real words of the first number that each took."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(2.0, -1.0, WIDTH))

    def forward(self, fused: Fused) -> Tensor:
        taken = torch.where(fused.text.valid[..., None], fused.text.values, 0.0)
        return (taken @ self.weight).sum(1)


def score(model: FusionModel, text: Tokens, image: Tokens, maps: bool) -> Scored:
    fused = model.fuse(text, image, maps=maps)
    return Scored(model.read(fused), fused.maps)


def known_subject(*, pieces: tuple[str, ...] = PIECES) -> Subject:
    """Give a subject whose answer depends on the word "dog" and the cell SPOT."""
    generator = torch.Generator().manual_seed(0)
    spec = ImageSpec(8, (0.0,) * 3, (1.0,) * 3)
    side = Side(EncoderParts(None, None, WIDTH, None, spec, "toy"), Adapter())
    text = torch.zeros(1, len(PIECES), WIDTH)
    text[0, 2, 0] = 1.0  # "dog" asks for the first number
    image = 0.05 * torch.randn(1, CELLS, WIDTH, generator=generator)
    image[0, SPOT, 0] = 2.0
    model = FusionModel(side, side, fusion=Looking(WIDTH), head=Reading())
    model.eval()
    valid = torch.ones(1, CELLS, dtype=torch.bool)
    return Subject(
        model,
        score,
        Tokens(text, torch.ones(1, len(PIECES), dtype=torch.bool)),
        Tokens(image, valid, grid=GRID),
        pieces,
        "the toy's number",
    )
