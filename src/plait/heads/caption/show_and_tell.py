"""Show and tell: an LSTM whose first input is the image, as one vector."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from plait.core.types import Tokens
from plait.heads.caption.base import CaptionDecoder, Parts, Step
from plait.heads.caption.parts import LstmStep, whole_image
from plait.nn.dropout import Dropout

__all__ = ["ShowAndTell"]


class ShowAndTell(CaptionDecoder):
    """Read the image once, as if it were the word before the first, then only words.

    Formula: h_0, c_0 = LSTM(W image) from a state of zeros; h_t, c_t = LSTM(w_t); logits = L_o dropout(h_t). The image
    is the mean of its tokens.

    Arguments:
        width:           D of both sides
        vocabulary_size: V
        hidden:          width of the state; 0 = D
        dropout:         before the logits
    Shapes: as `CaptionDecoder`; no weights
    Source: Vinyals et al. 2015. Differs: the mean of the grid's projected tokens in place of the last layer's features.
    """

    attends = False

    def __init__(self, width: int, vocabulary_size: int, *, hidden: int = 0, dropout: float = 0.0) -> None:
        super().__init__()
        state = hidden or width
        self.image = nn.Linear(width, width)
        self.lstm = LstmStep(width, state)
        self.state = state
        self.dropout = Dropout(dropout)
        self.logits = nn.Linear(state, vocabulary_size)

    def prepare(self, image: Tokens) -> Parts:
        """Give (image,): one vector per image."""
        return (self.image(whole_image(image)),)

    def begin(self, memory: Parts) -> Parts:
        """Give (h_0, c_0), after the image."""
        zeros = torch.zeros(len(memory[0]), self.state, device=memory[0].device)
        h, c = self.lstm(memory[0], zeros, zeros)
        return h, c

    def advance(self, word: Tensor, memory: Parts, state: Parts) -> Step:
        """Read words (M, D); see the class."""
        h, c = self.lstm(word, *state)
        return Step(h, None, (h, c))

    def read(self, features: Tensor) -> Tensor:
        """Give logits (..., V)."""
        return cast(Tensor, self.logits(self.dropout(features)))
