"""What every decoder of captions is: one step after one word, and the same for whole captions."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from plait.core.types import CaptionLogits, Fused, Tokens
from plait.heads.base import Head

__all__ = ["CaptionDecoder", "Parts", "Step", "take_rows"]

# Tensors of a decoder's own meaning, all with the same rows first: what it made of the images, or its state.
Parts = tuple[Tensor, ...]


class Step(NamedTuple):
    """What a decoder gives after one word.

    Fields:
        features: (M, F) float, of which `CaptionDecoder.read` makes logits
        weights:  (M, P) float in [0, 1], what was attended to in the image; None where nothing attends
        state:    after the word
    """

    features: Tensor
    weights: Tensor | None
    state: Parts


def take_rows(parts: Parts, rows: Tensor) -> Parts:
    """Give the rows (M,) int64 of every tensor (R, ...)."""
    return tuple(part[rows] for part in parts)


class CaptionDecoder(Head[CaptionLogits]):
    """A decoder of captions.

    Formula: memory = prepare(image); state_0 = begin(memory); features_t, state_t = advance(word_t, memory, state_t-1);
    logits of word t + 1 = read(features_t).

    A subclass writes these four. Its constructor takes the width D of both sides and the number V of known words, then
    options by keyword. Row i of memory, state and words belong together; a search over captions takes rows of the state
    as it likes (`take_rows`).

    Attributes:
        attends: whether it says what it attended to for each word
    Shapes:
        fused:   text (B, T, D), the words read; image (U, P, D), of which caption b has row `image_row[b]`, or B rows
        returns: CaptionLogits (B, T, V) with weights (B, T, P) where it attends
    """

    attends: ClassVar[bool] = True

    @abstractmethod
    def prepare(self, image: Tokens) -> Parts:
        """Do what needs the image (U, P, D) alone, once per image."""

    @abstractmethod
    def begin(self, memory: Parts) -> Parts:
        """Give the state before the first word."""

    @abstractmethod
    def advance(self, word: Tensor, memory: Parts, state: Parts) -> Step:
        """Read one word per row, (M, D), and give what the next word depends on."""

    @abstractmethod
    def read(self, features: Tensor) -> Tensor:
        """Give logits from features: (..., F) -> (..., V)."""

    def forward(self, fused: Fused) -> CaptionLogits:
        """Read whole captions, each prediction from the true words before it; see the class."""
        memory = self.prepare(fused.image)
        if fused.image_row is not None:
            memory = take_rows(memory, fused.image_row)
        return self.teach(fused.text, memory)

    def teach(self, text: Tokens, memory: Parts) -> CaptionLogits:
        """Read the words (B, T, D) one after another beside the memory of their images."""
        state, steps = self.begin(memory), []
        for word in text.values.unbind(1):
            steps.append(self.advance(word, memory, state))
            state = steps[-1].state
        weights = [step.weights for step in steps if step.weights is not None]
        logits = self.read(torch.stack([step.features for step in steps], 1))
        return CaptionLogits(logits, torch.stack(weights, 1) if weights else None)
