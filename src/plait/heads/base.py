"""What every head is: fused pairs in, a result type of `plait.core.types` out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from torch import nn

from plait.core.types import AnswerLogits, Fused, Level, MaskLogits, MatchScores, Similarities

__all__ = ["AllPairsHead", "AnswersHead", "Head", "MaskHead", "MatchHead"]

Result_co = TypeVar("Result_co", covariant=True)


class Head(nn.Module, ABC, Generic[Result_co]):
    """A head: it gives one result per fused pair. `Entry.gives` in HEADS names the type."""

    @abstractmethod
    def forward(self, fused: Fused) -> Result_co:
        """Read M fused pairs, (M, N, D) per side; rows that pairs share (see `Fused`) are read once where possible."""


class MatchHead(Head[MatchScores]):
    """A head that says how well both sides of a pair belong together."""

    @abstractmethod
    def forward(self, fused: Fused) -> MatchScores:
        """Score fused pairs, (M, N, D) per side: values (M,)."""


class AllPairsHead(MatchHead):
    """A head that also reads the similarities of all pairs, which a `SimilarityFusion` gives by algebra."""

    @abstractmethod
    def pool(self, similarities: Similarities) -> MatchScores:
        """Score every image with every caption: similarities (B, C, Q) -> values (B, C)."""


class MaskHead(Head[MaskLogits]):
    """A head that decodes the region of the image that a text refers to."""

    @abstractmethod
    def forward(self, fused: Fused, levels: tuple[Level, ...] | None = None) -> MaskLogits:
        """Decode fused pairs, (M, P, D), with the image's finer levels; None = those that the fused image carries."""


class AnswersHead(Head[AnswerLogits]):
    """A head that chooses among a fixed list of answers.

    Attributes:
        answers: the list; column a of the logits is answers[a]
    """

    answers: tuple[str, ...]

    @abstractmethod
    def forward(self, fused: Fused) -> AnswerLogits:
        """Read fused pairs, (M, N, D) per side: values (M, A)."""
