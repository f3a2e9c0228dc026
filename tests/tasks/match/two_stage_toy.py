"""Learners of two stages over the toys' encoders, which here give summaries."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from plait.core.config import recipe_from_dict
from plait.core.types import EncoderParts, ImageSpec, Tokens
from plait.encoders.adapters import LinearAdapter
from plait.model import Side
from plait.tasks.match.learner import MatchLearner, assemble
from plait.tasks.match.pairings.two_stage import TwoStage
from tests.toys import WIDTH, Cells, HashedWords, Words

SUMMARY = 8


class Summed(nn.Module):
    """An encoder whose summary is the mean of its tokens."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, *raw: Tensor) -> Tokens:
        tokens: Tokens = self.encoder(*raw)
        return replace(tokens, pooled=tokens.values.mean(1))


def toy_two_stage(seed: int) -> tuple[MatchLearner, TwoStage]:
    """Give a learner of pairing "rerank" with new weights, and its pairing."""
    learner = _assembled(seed, {"name": "cross", "pairing": "rerank", "options": {"layers": 1, "heads": 2}})
    pairing = learner.pairing
    if not isinstance(pairing, TwoStage):
        raise TypeError(type(pairing).__name__)
    return learner, pairing


def toy_towers(seed: int) -> MatchLearner:
    """Give a learner of the towers alone."""
    return _assembled(seed, {"name": "late", "options": {"pool": "encoder", "pooled_width": SUMMARY}})


def _assembled(seed: int, fusion: dict[str, object]) -> MatchLearner:
    torch.manual_seed(seed)
    shared = {"width": WIDTH, "rerank_k": 4, "towers": {"pool": "encoder", "pooled_width": SUMMARY}}
    return assemble(recipe_from_dict({"fusion": {**shared, **fusion}}), *_sides())


def _sides() -> tuple[Side, Side]:
    with torch.random.fork_rng():
        torch.manual_seed(0)  # a frozen encoder is the same in every learner
        frozen = Summed(Words())
    words = EncoderParts(frozen, None, WIDTH, WIDTH, HashedWords(), "toy words")
    spec = ImageSpec(8, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    cells = EncoderParts(Summed(Cells()), None, 3, 3, spec, "toy cells")
    return Side(words, _adapter(WIDTH)), Side(cells, _adapter(3))


def _adapter(width: int) -> LinearAdapter:
    return LinearAdapter(width, width=WIDTH, pooled_width_in=width, pooled_width=SUMMARY, dropout=0.1)
