"""Show, attend and tell: an LSTM that attends to the image's grid before each word."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from plait.core.types import Tokens
from plait.heads.caption.base import CaptionDecoder, Parts, Step
from plait.heads.caption.parts import AdditiveAttention, LstmStep, whole_image
from plait.nn.dropout import Dropout

__all__ = ["ShowAttendTell"]


class ShowAttendTell(CaptionDecoder):
    """Attend to the grid with the state, then step on with the word and what was attended to.

    Formula: z_t, a_t = attention(image, h_t-1); z'_t = sigmoid(B h_t-1) z_t; h_t, c_t = LSTM([w_t, z'_t]);
    logits = L_o dropout(tanh(w_t + L_h h_t + L_z z'_t)); h_0 and c_0 are small networks of the image's mean token.

    Arguments:
        width:           D of both sides
        vocabulary_size: V
        hidden:          width of the state; 0 = D
        attention:       width of the small network that weighs the grid; 0 = D
        hard:            attend to one sampled cell in training (see `AdditiveAttention`)
        dropout:         before the logits
    Shapes: as `CaptionDecoder`; weights (B, T, P)
    Source: Xu et al. 2015. Differs: a tanh before the logits; image tokens come projected to D.
    """

    def __init__(
        self,
        width: int,
        vocabulary_size: int,
        *,
        hidden: int = 0,
        attention: int = 0,
        hard: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        state = hidden or width
        self.attention = AdditiveAttention(width, state, hidden=attention or width, sampled=hard)
        self.start = nn.Linear(width, 2 * state)
        self.gate = nn.Linear(state, width)
        self.lstm = LstmStep(2 * width, state)
        self.from_state = nn.Linear(state, width)
        self.from_image = nn.Linear(width, width, bias=False)
        self.dropout = Dropout(dropout)
        self.logits = nn.Linear(width, vocabulary_size)

    def prepare(self, image: Tokens) -> Parts:
        """Give (keys, values, valid, start): the grid as attention reads it, and the first state's two halves."""
        start = torch.tanh(self.start(whole_image(image))).float()
        return self.attention.keys(image.values), image.values, image.valid, start

    def begin(self, memory: Parts) -> Parts:
        """Give (h_0, c_0)."""
        h, c = memory[3].chunk(2, 1)
        return h, c

    def advance(self, word: Tensor, memory: Parts, state: Parts) -> Step:
        """Read words (M, D); see the class."""
        keys, values, valid, _ = memory
        attended, weights = self.attention(keys, values, valid, state[0])
        attended = torch.sigmoid(self.gate(state[0])) * attended
        h, c = self.lstm(torch.cat([word.to(attended.dtype), attended], 1), *state)
        features = torch.tanh(word + self.from_state(h) + self.from_image(attended))
        return Step(features, weights, (h, c))

    def read(self, features: Tensor) -> Tensor:
        """Give logits (..., V)."""
        return cast(Tensor, self.logits(self.dropout(features)))
