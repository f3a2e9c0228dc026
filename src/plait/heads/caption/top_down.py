"""Bottom-up and top-down attention: one LSTM chooses regions, a second one chooses words."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from plait.core.types import Tokens
from plait.heads.caption.base import CaptionDecoder, Parts, Step
from plait.heads.caption.parts import AdditiveAttention, LstmStep, whole_image
from plait.nn.dropout import Dropout

__all__ = ["TopDown"]


class TopDown(CaptionDecoder):
    """Choose regions with a first LSTM, which has seen the words and the whole image, and words with a second one.

    Formula: h1_t = LSTM_1([h2_t-1, mean image, w_t]); z_t, a_t = attention(image, h1_t); h2_t = LSTM_2([z_t, h1_t]);
    logits = L_o dropout(h2_t).

    Arguments:
        width:           D of both sides
        vocabulary_size: V
        hidden:          width of both states; 0 = D
        attention:       width of the small network that weighs the tokens; 0 = D
        dropout:         before the logits
    Shapes: as `CaptionDecoder`; the image's tokens may be a grid or regions; weights (B, T, P)
    Source: Anderson et al. 2018, section 3.2.
    """

    def __init__(
        self, width: int, vocabulary_size: int, *, hidden: int = 0, attention: int = 0, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.state = hidden or width
        self.look_lstm = LstmStep(self.state + 2 * width, self.state)
        self.attention = AdditiveAttention(width, self.state, hidden=attention or width)
        self.word_lstm = LstmStep(width + self.state, self.state)
        self.dropout = Dropout(dropout)
        self.logits = nn.Linear(self.state, vocabulary_size)

    def prepare(self, image: Tokens) -> Parts:
        """Give (keys, values, valid, mean) of the image's tokens."""
        return self.attention.keys(image.values), image.values, image.valid, whole_image(image)

    def begin(self, memory: Parts) -> Parts:
        """Give (h1, c1, h2, c2), all zeros."""
        zeros = torch.zeros(len(memory[0]), self.state, device=memory[0].device)
        return zeros, zeros, zeros, zeros

    def advance(self, word: Tensor, memory: Parts, state: Parts) -> Step:
        """Read words (M, D); see the class."""
        keys, values, valid, mean = memory
        h1, c1, h2, c2 = state
        h1, c1 = self.look_lstm(torch.cat([h2.to(word.dtype), mean.to(word.dtype), word], 1), h1, c1)
        attended, weights = self.attention(keys, values, valid, h1)
        h2, c2 = self.word_lstm(torch.cat([attended, h1.to(attended.dtype)], 1), h2, c2)
        return Step(h2, weights, (h1, c1, h2, c2))

    def read(self, features: Tensor) -> Tensor:
        """Give logits (..., V)."""
        return cast(Tensor, self.logits(self.dropout(features)))
